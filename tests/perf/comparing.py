"""The table that a run of the benchmarks ends with: figures beside what they are compared with, and their goals.

A goal that is missed is a row that says so. It fails no test: what is too slow is still right.
"""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

HEAD = ("what", "figure", "compared with", "ratio", "goal", "")


@dataclass(frozen=True)
class Goal:
    """What a ratio should be at least, or at most; or the figure itself, which then is the `figure`."""

    bound: float
    least: bool
    figure: bool

    def met(self, value: float) -> bool:
        """Tell whether a value reaches it."""
        return value >= self.bound if self.least else value <= self.bound

    def __str__(self) -> str:
        return f"{'figure' if self.figure else 'ratio'} {'≥' if self.least else '≤'} {self.bound:g}"


def at_least(bound: float, *, figure: bool = False) -> Goal:
    """Return the goal that more is better than."""
    return Goal(bound, least=True, figure=figure)


def at_most(bound: float, *, figure: bool = False) -> Goal:
    """Return the goal that less is better than."""
    return Goal(bound, least=False, figure=figure)


@dataclass(frozen=True)
class Row:
    """One comparison: medians of what was measured in turns, and the median of the ratios of neighbours."""

    what: str
    unit: str
    figure: float
    against: str = ""
    reference: float | None = None
    ratio: float | None = None
    goal: Goal | None = None
    pairs: Sequence[tuple[float, float]] = ()

    @property
    def outcome(self) -> str:
        """Say whether the goal was met; nothing where there is none."""
        value = self.figure if self.goal is None or self.goal.figure else self.ratio
        if self.goal is None or value is None:
            return ""
        return "met" if self.goal.met(value) else "missed"

    def cells(self) -> tuple[str, ...]:
        """Return what stands in the columns of `HEAD`."""
        compared = "" if self.reference is None else f"{_short(self.reference)} {self.against}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        goal = "" if self.goal is None else str(self.goal)
        return (self.what, f"{_short(self.figure)} {self.unit}", compared, ratio, goal, self.outcome)


class Comparisons:
    """Collects the rows of a run."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def figure(self, what: str, unit: str, value: float, goal: Goal | None = None) -> None:
        """Add what is compared with its goal at most."""
        self.rows.append(Row(what, unit, value, goal=goal))

    def pairs(
        self,
        what: str,
        unit: str,
        against: str,
        pairs: Sequence[tuple[float, float]],
        goal: Goal | None = None,
    ) -> None:
        """Add pairs of ours and theirs: each was measured right behind the other, so that noise meets both."""
        ours, theirs = (median(values) for values in zip(*pairs, strict=True))
        ratio = median(one / other for one, other in pairs)
        self.rows.append(Row(what, unit, ours, against, theirs, ratio, goal, pairs))

    def save(self, folder: Path, unmeasured: Sequence[str]) -> str:
        """Write the table as Markdown and JSON; return the former."""
        folder.mkdir(exist_ok=True)
        text = f"{machine()}\n\n{table(self.rows)}" + "".join(
            f"\nNot measured: {why}\n" for why in unmeasured
        )
        (folder / "table.md").write_text(text, "utf-8")
        kept = [asdict(row) | {"goal": str(row.goal or ""), "outcome": row.outcome} for row in self.rows]
        found = {"machine": machine(), "rows": kept, "not measured": unmeasured}
        (folder / "table.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return text


def machine() -> str:
    """Say when and on what this runs."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{now} · {len(os.sched_getaffinity(0))} processors, {platform.machine()} · {python}"


def table(rows: Iterable[Row]) -> str:
    """Return a Markdown table that can be read as it is."""
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    ]
    rule = " | ".join("-" * max(3, width) for width in widths)
    return "".join(f"| {line} |\n" for line in (lines[0], rule, *lines[1:]))


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
