"""The verdicts of a run as rows, one per promise: what every report shows in its own form."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from atleastonce.findings import Counterexample, Findings
from atleastonce.verdict import Outcome, Tally

_REASONS = 3
"""How many of the reasons for unknowns are shown in a line."""
SYMBOLS: dict[Outcome, str] = {"kept": "✓", "broken": "✗", "unknown": "?"}
"""Colour alone says nothing to many people, and nothing at all in a log."""


NO_OCCASION = "no schedule gave it an occasion to be broken"


class Row(NamedTuple):
    """One promise of one service over a run, with the three counts of schedules that gave an occasion."""

    service: str
    broker: str
    promise: str
    verdict: Outcome
    reason: str
    kept: int
    broken: int
    unknown: int
    confirmed: str
    counterexample: str
    settings: Mapping[str, str]

    @property
    def occasions(self) -> int:
        """How many schedules gave the promise an occasion to be broken."""
        return self.kept + self.broken + self.unknown

    def as_json(self) -> dict[str, Any]:
        """Return the row as ``verdicts.json`` has it (CONTRACT: *The report folder*)."""
        return {
            "service": self.service,
            "broker": self.broker,
            "promise": self.promise,
            "verdict": self.verdict,
            "reason": self.reason,
            "occasions": {"kept": self.kept, "broken": self.broken, "unknown": self.unknown},
            "confirmed": self.confirmed or None,
            "counterexample": self.counterexample or None,
            "settings": dict(self.settings),
        }


def numbered(found: Iterable[Findings]) -> Iterator[tuple[str, Findings, Counterexample]]:
    """Yield every counterexample of a run with its folder inside the report folder."""
    number = 0
    for findings in found:
        for counterexample in findings.counterexamples:
            number += 1
            yield f"counterexamples/{number}", findings, counterexample


def rows(found: Sequence[Findings]) -> tuple[Row, ...]:
    """Return one row per promise of every service, in the order of the contracts."""
    return tuple(row for _, mine in grouped(found) for row in mine)


def grouped(found: Sequence[Findings]) -> list[tuple[Findings, tuple[Row, ...]]]:
    """Return every service's findings with its rows."""
    folders = {id(each): folder for folder, _, each in numbered(found)}
    return [
        (
            findings,
            tuple(_row(findings, promise, each, folders) for promise, each in findings.tallies.items()),
        )
        for findings in found
    ]


def _row(findings: Findings, promise: str, tally: Tally, folders: Mapping[int, str]) -> Row:
    shown = findings.counterexample(promise) if tally.outcome == "broken" else None
    return Row(
        service=findings.service,
        broker=findings.broker,
        promise=promise,
        verdict=tally.outcome,
        reason=shown.verdict.reason if shown else _reason(findings, tally),
        kept=tally.kept,
        broken=tally.broken,
        unknown=tally.unknown,
        confirmed=f"{shown.confirmed} of {shown.tried}" if shown else "",
        counterexample=folders[id(shown)] if shown else "",
        settings=findings.settings,
    )


def _reason(findings: Findings, tally: Tally) -> str:
    """Say why a tally has its outcome; what is kept as far as that was tried says so."""
    cut_short = _cut_short(findings) if tally.outcome == "kept" else ""
    return "; ".join(filter(None, (reason(tally, _why_no_occasion(findings)), cut_short)))


def _cut_short(findings: Findings) -> str:
    """Say how much of what was planned was carried out, and why no more; empty where that is all."""
    if not findings.left:
        return ""
    planned = counted(findings.planned, "schedule")
    return f"only {findings.carried_out} of {planned} were carried out{findings.why_left}"


def _why_no_occasion(findings: Findings) -> str:
    """Say why nothing may have given a promise an occasion; empty where nothing is known to be in the way."""
    narrowed = "not all of it was explored: leave out --explore" if findings.narrowed else ""
    return findings.left_out or findings.restless or "; ".join(filter(None, (_cut_short(findings), narrowed)))


def reason(tally: Tally, left_out: str = "") -> str:
    """Say in one sentence why a tally has the outcome that it has; `left_out` is why nothing may have.

    What would help beside that is said by the check that found no occasion: it knows what it missed.
    """
    occasions = tally.kept + tally.broken + tally.unknown
    if not occasions:
        why = f" ({tally.missed})" if tally.missed else ""
        return f"{NO_OCCASION}{why}" + (f"; {left_out}" if left_out else "")
    if tally.outcome == "broken":
        return f"broken on {tally.broken} of {counted(occasions, 'schedule')} that gave an occasion"
    if not tally.unknown:
        return f"kept on {counted(occasions, 'schedule')} that gave an occasion"
    reasons = _commonest(tally)
    why = "; ".join(f"{each} ({counted(times, 'time')})" for each, times in reasons[:_REASONS])
    if len(reasons) > _REASONS:
        why += f"; and {counted(len(reasons) - _REASONS, 'other reason')}"
    return f"{tally.unknown} of {counted(occasions, 'schedule')} could not be judged: {why}"


def unexplained(findings: Findings) -> list[tuple[str, str, int]]:
    """Return promise, reason and times of the unknown schedules that no row's own reason speaks of."""
    return [
        (promise, why, times)
        for promise, tally in findings.tallies.items()
        if tally.outcome == "broken"
        for why, times in _commonest(tally)
    ]


def _commonest(tally: Tally) -> list[tuple[str, int]]:
    """Return the reasons of the unknown schedules, the commonest first."""
    return sorted(tally.reasons.items(), key=lambda item: -item[1])


def counted(number: int, what: str) -> str:
    """Return ``1 step``, ``2 steps``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def ran(findings: Findings) -> str:
    """Say how much was carried out, and what was not explored."""
    done = f"{findings.carried_out} of {findings.planned} schedules in {findings.seconds:.1f} s"
    return "; ".join(filter(None, (done, unexplored([findings]))))


def unexplored(found: Sequence[Findings]) -> str:
    """Say what could have been explored as well; empty where that is nothing."""
    names = dict.fromkeys(name for each in found for name in each.unexplored)
    return f"not explored: {', '.join(names)}" if names else ""


def versions(findings: Findings) -> dict[str, str]:
    """Return what took part, with versions; a counterexample's history knows them too."""
    known = [dict(each.judged.history.header.versions) for each in findings.counterexamples]
    return dict(findings.versions) or next(iter(known), {})
