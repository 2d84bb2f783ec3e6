"""How a campaign goes on, while it does: a live line in a terminal, a few plain lines elsewhere.

Both are a `Watcher` of `atleastonce.campaign`. A failure is printed the moment it is seen, as it is:
confirming and shrinking take time, and a run that is stopped meanwhile must not have been for nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from atleastonce.findings import Judged
from atleastonce.report.rows import SYMBOLS
from atleastonce.report.telling import of_failure
from atleastonce.report.terminal import COLOURS, told
from atleastonce.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_EVERY = 5.0
"""Seconds between two plain lines of one stage: enough to see that it lives, few enough for a log."""


class Watching(Protocol):
    """What `atleastonce.campaign.Watcher` asks for."""

    def stage(self, what: str, total: int | None = None) -> None:
        """Begin a stage of `total` schedules."""

    def judged(self, judged: Judged) -> None:
        """Take a schedule that was carried out and judged."""

    def broken(self, promise: str, judged: Judged) -> None:
        """Take the first failure of a promise."""


@contextmanager
def watching(console: "Console", rules: Mapping[str, str]) -> Iterator[Watching]:
    """Yield a watcher that prints to a console for as long as the block lasts."""
    if not console.is_terminal:
        yield Plain(console, rules)
        return
    from rich.progress import (  # noqa: PLC0415 - see `terminal.table`
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Live(progress, rules)


class Plain:
    """Prints a line when a stage begins, and one every few seconds while it lasts."""

    def __init__(
        self, console: "Console", rules: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._rules = rules
        self._clock = clock
        self._said = clock()
        self._stage, self._total, self._done = "", 0, 0
        self._counts: Counter[Outcome] = Counter()

    def stage(self, what: str, total: int | None = None) -> None:
        """Begin a stage."""
        self._stage, self._total, self._done = what, total or 0, 0
        self._counts.clear()
        self._say(f"{what}: {total}" if total else what)

    def judged(self, judged: Judged) -> None:
        """Count a schedule."""
        self._done += 1
        self._counts.update(_outcomes(judged))
        if self._done == self._total or self._clock() - self._said >= _EVERY:
            total = f" of {self._total}" if self._total else ""
            self._say(f"{self._stage}: {self._done}{total}  {_shown(self._counts)}")

    def broken(self, promise: str, judged: Judged) -> None:
        """Print a failure."""
        self._console.print(told(of_failure(promise, judged, self._rules)), soft_wrap=True)

    def _say(self, text: str) -> None:
        self._said = self._clock()
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Live:
    """Keeps one live line per stage, the failures above it."""

    def __init__(self, progress: "Progress", rules: Mapping[str, str]) -> None:
        self._progress = progress
        self._rules = rules
        self._task = progress.add_task("starting", total=None, counts="")
        self._counts: Counter[Outcome] = Counter()

    def stage(self, what: str, total: int | None = None) -> None:
        """Begin a stage."""
        self._progress.remove_task(self._task)
        self._counts.clear()
        self._task = self._progress.add_task(what, total=total, counts="")

    def judged(self, judged: Judged) -> None:
        """Count a schedule."""
        self._counts.update(_outcomes(judged))
        self._progress.update(self._task, advance=1, counts=_coloured(self._counts))

    def broken(self, promise: str, judged: Judged) -> None:
        """Print a failure above the live line."""
        self._progress.console.print(told(of_failure(promise, judged, self._rules)), soft_wrap=True)


def _outcomes(judged: Judged) -> Iterator[Outcome]:
    """Yield the outcomes of the promises that had an occasion."""
    return (verdict.outcome for verdict in judged.verdicts.values() if verdict.occasion)


def _shown(counts: Counter[Outcome]) -> str:
    return "  ".join(f"{SYMBOLS[each]} {counts[each]} {each}" for each in SYMBOLS)


def _coloured(counts: Counter[Outcome]) -> str:
    return "  ".join(f"[{COLOURS[each]}]{SYMBOLS[each]} {counts[each]}[/]" for each in SYMBOLS)
