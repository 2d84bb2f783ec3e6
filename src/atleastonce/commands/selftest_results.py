"""What came of ``atleastonce selftest``: verdicts on the mutants, false alarms on correct services."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from atleastonce.commands.presenting import Presenter
from atleastonce.commands.selftest_subjects import Subject
from atleastonce.findings import Findings

_MOST_UNKNOWN = 0.01
MARKS = {"broken": "✗ broken", "kept": "✓ kept", "unknown": "? unknown"}


@dataclass(frozen=True)
class Tried:
    """What came of it; `failed` says why it could not be tried at all."""

    subject: Subject
    findings: Findings
    seconds: float
    failed: str = ""

    @property
    def verdict(self) -> str:
        """The verdict on the promise that a mutant breaks; of a correct service, on all of them."""
        promise = self.subject.promise
        if promise and not self.failed:
            return self.findings.tallies[promise].outcome
        return self.findings.outcome

    @property
    def as_it_should_be(self) -> bool:
        """Whether a mutant was caught, or a correct service left alone."""
        return not self.failed and (self.verdict == "broken") is bool(self.subject.promise)

    @property
    def also(self) -> list[str]:
        """The other promises that a mutant breaks."""
        broken = (name for name, tally in self.findings.tallies.items() if tally.outcome == "broken")
        return [name for name in broken if name != self.subject.promise]

    @property
    def steps(self) -> int | None:
        """How long the counterexample is."""
        found = self.findings.counterexample(self.subject.promise)
        return found.judged.history.header.schedule.steps if found else None


def result(tried: Sequence[Tried]) -> dict[str, Any]:
    """Return what ``selftest.json`` holds (CONTRACT: *The report folder*)."""
    tallies = [
        tally for each in tried if not each.subject.promise for tally in each.findings.tallies.values()
    ]
    return {
        "mutants": {
            each.subject.name: {
                "promise": each.subject.promise,
                "verdict": each.verdict,
                "also": each.also,
                "seconds": round(each.seconds, 2),
                "steps": each.steps,
            }
            for each in tried
            if each.subject.promise
        },
        "verdicts": sum(tally.kept + tally.broken + tally.unknown for tally in tallies),
        "false_alarms": sum(tally.broken for tally in tallies),
        "unknown": sum(tally.unknown for tally in tallies),
    }


def few_unknown(found: dict[str, Any]) -> bool:
    """Tell whether so few verdicts on correct services are unknown as shall be."""
    return bool(found["unknown"] <= _MOST_UNKNOWN * found["verdicts"])


def show(tried: Sequence[Tried], subjects: Sequence[Subject], shown: Presenter) -> None:
    """Print the table, what was left out or not found, and what was not judged, with the reasons."""
    table = Table("service", "breaks", "verdict", "also", "steps", "seconds")
    for each in tried:
        steps = "" if each.steps is None else str(each.steps)
        row = (
            each.subject.name,
            each.subject.promise or "nothing",
            MARKS[each.verdict],
            ", ".join(each.also),
        )
        style = "" if each.as_it_should_be else "bold red"
        table.add_row(*row, steps, f"{each.seconds:.1f}", style=style)
    shown.console.print()
    shown.console.print(table)
    for left_out in (subject for subject in subjects if subject.why_not):
        shown.say(f"{left_out.name} was left out: {left_out.why_not}")
    for each in tried:
        if each.failed:
            shown.say(f"{each.subject.name} could not be tried: {each.failed}")
        elif each.subject.promise and not each.as_it_should_be:
            shown.say(f"{each.subject.name} was not found: {_why_kept(each)}")
    for each in tried:
        if not each.subject.promise:
            for promise, tally in each.findings.tallies.items():
                for reason, times in tally.reasons.items():
                    shown.say(f"{each.subject.name}: {promise} unknown {times} times: {reason}")


def _why_kept(tried: Tried) -> str:
    """Say why a mutant was not caught, as far as its schedules tell."""
    tally = tried.findings.tallies[tried.subject.promise]
    of = f"in {tried.findings.carried_out} schedules"
    if not tally.kept and not tally.unknown:
        return f"nothing gave {tried.subject.promise} an occasion {of}"
    reasons = "; ".join(f"{times} times: {reason}" for reason, times in tally.reasons.items())
    left_out = f"; {tried.findings.left_out}" if tried.findings.left_out else ""
    found = f"{tried.subject.promise} was kept {tally.kept} times {of}"
    return f"{found}{f', unknown {reasons}' if reasons else ''}{left_out}"
