"""Retells a history for a person: the steps that matter, in order, and what came out differently.

Where there are too many steps, those of innocent messages go first, then the middle without its faults: some
25 lines are read, a hundred are not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from atleastonce.findings import Counterexample, Judged, curves
from atleastonce.history import History
from atleastonce.report.differences import differences
from atleastonce.report.rows import counted
from atleastonce.report.story import Step, Story
from atleastonce.report.teller import services, tell
from atleastonce.verdict import Verdict

_MOST_STEPS = 18
_ENDS = 5


def of_counterexample(found: Counterexample, rules: Mapping[str, str]) -> Story:
    """Retell a counterexample; `rules` says for each fault, by name, which rule of the broker allows it."""
    seen = f"confirmed {found.confirmed} of {found.tried}"
    if not found.confirmed:
        seen += ", but seen (a surplus that was seen stands)"
    steps = found.judged.history.header.schedule.steps
    size = f"shrunk from {found.steps_before} steps to {steps}"
    return retell(
        found.judged.history,
        found.verdict,
        rules,
        (seen, size if steps < found.steps_before else counted(steps, "step")),
    )


def of_failure(promise: str, judged: Judged, rules: Mapping[str, str]) -> Story:
    """Retell a failure as it was first seen, before it is confirmed and shrunk."""
    size = counted(judged.history.header.schedule.steps, "step")
    remarks = ("seen once, not confirmed yet", f"{size}, not shrunk yet")
    return retell(judged.history, judged.verdicts[promise], rules, remarks)


def retell(
    history: History, verdict: Verdict, rules: Mapping[str, str], remarks: Iterable[str] = ()
) -> Story:
    """Retell a history in the light of a verdict on it; `remarks` end the headline."""
    service = ", ".join(history.header.services) or "service"
    return Story(
        promise=verdict.promise,
        service=service,
        broker=history.header.broker,
        headline=" · ".join((f"{verdict.outcome.upper()} {verdict.promise}", service, *remarks)),
        steps=_short(history, verdict, rules),
        differences=differences(history, verdict),
        reason=verdict.reason,
        services=services(history),
        curves=curves(history),
    )


def _short(history: History, verdict: Verdict, rules: Mapping[str, str]) -> tuple[Step, ...]:
    """Return all steps; where these are too many, those of the blamed messages, trimmed, and how many others went."""
    schedule = history.header.schedule
    named = schedule.trapped
    everyone = {*schedule.published} | named
    steps = tell(history, verdict, rules, everyone)
    if len(steps) <= _MOST_STEPS:
        return tuple(steps)
    blamed = {*verdict.blamed} | named | {*schedule.poisons}
    others = counted(len(everyone - blamed), "other message")
    untold = (Step(verb="…", what=f"{others}, not shown", kind="gap"),) if everyone - blamed else ()
    steps = tell(history, verdict, rules, blamed)
    return (*(steps if len(steps) <= _MOST_STEPS else _trimmed(steps)), *untold)


def _trimmed(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the beginning, the end, and in between the faults and what is marked."""
    telling = [index for index, step in enumerate(steps) if step.kind == "fault" or step.mark]
    kept = sorted({*range(_ENDS), *telling[:_ENDS], *range(len(steps) - _ENDS, len(steps))})
    for last, index in pairwise((-1, *kept)):
        if index - last > 1:
            yield Step(verb="…", what=counted(index - last - 1, "more step"), kind="gap")
        yield steps[index]
