"""A verdict says of one promise, on one schedule or over a run: kept, broken or unknown, with evidence."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

Outcome = Literal["kept", "broken", "unknown"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a history says of one promise.

    `reason` is one sentence, for every outcome. `occasion` is False where the schedule never gave the promise
    an occasion to be broken: such an unknown says nothing, and counts nowhere. `evidence` are the differences
    that broke it, a line each; `blamed` the messages they belong to, as far as that could be told.
    """

    promise: str
    outcome: Outcome
    reason: str
    occasion: bool = True
    evidence: tuple[str, ...] = ()
    blamed: tuple[str, ...] = ()
    surplus: bool = False
    """Whether it rests on something that was seen, rather than on something that was not."""
    totals: bool = False
    """Whether it rests on nothing that names a message: such values may follow the clock, or what came before."""

    def stands(self, seen: int, tried: int) -> bool:
        """Tell whether this failure stands (rule 11), `seen` again of the times that it was `tried` again."""
        return seen == tried if self.totals else bool(seen) or self.surplus


NOT_ALWAYS = "seen again {seen} of {tried} times only, in what names no message"
"""Why a failure that rests on totals, and was not seen each time, is unknown."""
_MISSED = 2
"""How many reasons are kept why there was no occasion."""
NOT_AGAIN = "seen once, but not when the schedule was carried out again"
"""Why a failure that was not seen again is unknown."""


def unknown(verdicts: Iterable[Verdict]) -> int:
    """Return how many of these had an occasion, and say nothing."""
    return sum(each.occasion and each.outcome == "unknown" for each in verdicts)


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of one promise over a run, counted; `missed` is why others gave it no occasion, the rarest first.

    What is said of the most schedules is that they are about something else.
    """

    kept: int = 0
    broken: int = 0
    unknown: int = 0
    reasons: dict[str, int] = {}
    missed: str = ""

    @property
    def outcome(self) -> Outcome:
        """Broken if any is; else unknown if none was kept or more than 1 in 100 were unknown; else kept.

        An unknown is a schedule that could not be judged, for a reason that is reported; a verdict over the
        run must not rest on many of them.
        """
        if self.broken:
            return "broken"
        return "unknown" if not self.kept or self.unknown * 100 > self.kept + self.unknown else "kept"

    def withdrawn(self, reason: str) -> "Tally":
        """Return the tally in which what was broken is unknown, for this reason."""
        counted = {**self.reasons, reason: self.reasons.get(reason, 0) + self.broken}
        unknown = self.unknown + self.broken
        return msgspec.structs.replace(self, broken=0, unknown=unknown, reasons=counted)


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Count the verdicts of one promise that had an occasion; `reasons` counts why the unknown ones are."""
    counted: Counter[Outcome] = Counter()
    reasons: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for verdict in verdicts:
        if not verdict.occasion:
            missed[verdict.reason] += 1
            continue
        counted[verdict.outcome] += 1
        if verdict.outcome == "unknown":
            reasons[verdict.reason] += 1
    return Tally(
        kept=counted["kept"],
        broken=counted["broken"],
        unknown=counted["unknown"],
        reasons=dict(reasons),
        missed="; ".join(reason for reason, _ in missed.most_common()[: -_MISSED - 1 : -1]),
    )
