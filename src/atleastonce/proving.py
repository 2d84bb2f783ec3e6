"""Proves what was broken: has it carried out again, and looks for the shortest schedule that shows it."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from atleastonce.agreement import RESTLESS
from atleastonce.exploration.shrinking import shrink
from atleastonce.findings import Counterexample, Findings, Judged
from atleastonce.schedule import Schedule
from atleastonce.verdict import NOT_AGAIN, NOT_ALWAYS
from atleastonce.watching import Watcher
from atleastonce.workshop import Workshop

_MEETINGS = 3
"""How often two requests at the same time are tried before they count as harmless."""
_TWICE = 2
_ENOUGH = 30.0
"""Seconds after which a failure that was seen again is confirmed no more: what is stuck takes as long each time."""
_AT_ANY_TIME = frozenset({"burst", "cut", "isolate", "restart"})
"""What is done at no certain point of a message's way."""
_CHANCES = 20
"""How often what is missing is tried again, within `_ENOUGH`, until it is seen again."""
_CANDIDATES = 3
"""How many failures of one promise are carried out again until one is seen again: the first may be a race's."""


class Prover:
    """Confirms and shrinks the failures of one campaign, and adds what it has proven to the findings.

    An absence that is not seen again becomes unknown; a surplus that was seen stands (rule 11), unless what it was
    compared with proves to depend on chance. What shows in totals alone must be seen each time.
    """

    def __init__(
        self, workshop: Workshop, watcher: Watcher, findings: Findings, confirm: int, shrink_budget: float
    ) -> None:
        self._workshop = workshop
        self._watcher = watcher
        self._findings = findings
        self._confirm = confirm
        self._shrink_budget = shrink_budget
        self._doubtful: dict[str, list[tuple[Judged, str]]] = defaultdict(list)

    def open(self, promise: str, judged: Iterable[Judged]) -> list[Judged]:
        """Return the failures by which a promise may still be proven broken, the simplest first."""
        doubtful = [each for each, _ in self._doubtful[promise]]
        if self.proven(promise) or len(doubtful) >= _CANDIDATES:
            return []
        broken = [each for each in judged if each.broke(promise) and each not in doubtful]
        return sorted(broken, key=lambda each: _entangled(promise, each))

    def proven(self, promise: str) -> bool:
        """Tell whether there is a counterexample."""
        return self._findings.counterexample(promise) is not None

    def withdrawn(self, promise: str) -> str:
        """Return why the failures of a promise are none: the simplest was not seen again, nor was another."""
        doubtful = self._doubtful[promise]
        return doubtful[0][1] if doubtful and not self.proven(promise) else ""

    def prove(self, promise: str, judged: Sequence[Judged]) -> None:
        """Confirm and shrink the simplest failure of a promise that is seen again, if there is one."""
        while failures := self.open(promise, judged):
            self._try(promise, failures[0])

    def _try(self, promise: str, first: Judged) -> None:
        schedule = first.history.header.schedule
        self._watcher.stage(f"confirm {promise}", self._confirm)
        self._workshop.forget_clean_runs()
        again: list[Judged] = []
        seen_again: list[Judged] = []
        found = first.verdicts[promise]
        least = _TWICE if found.totals else 1
        enough = time.monotonic() + _ENOUGH
        while len(again) < self._confirm or (
            not seen_again and time.monotonic() < enough and _by_chance(promise, first, again)
        ):
            if again and len(again) == self._confirm:
                further = f"confirm {promise} further, as it may be a race"
                self._watcher.stage(further, _CHANCES - self._confirm)
            again.append(self._workshop.carry_out(schedule, proof=True))
            self._watcher.judged(again[-1])
            seen_again = [each for each in again if each.broke(promise)]
            if len(seen_again) >= least and time.monotonic() > enough:
                break
        by_luck = not seen_again and _by_luck(promise, again)
        if by_luck or not found.stands(len(seen_again), len(again)):
            self._doubtful[promise].append((first, _why_not(promise, first, again)))
            return
        self._watcher.stage(f"shrink {promise}, for {self._shrink_budget:g} s at most")
        shortest = self._shrunk(promise, seen_again[0]) if seen_again else first
        self._findings.counterexamples.append(
            Counterexample(
                promise=promise,
                judged=shortest,
                confirmed=len(seen_again),
                tried=len(again),
                steps_before=schedule.steps,
            )
        )

    def _shrunk(self, promise: str, start: Judged) -> Judged:
        """Return the shortest failure found within the budget; the first event of a replay is found before that."""
        schedule = start.history.header.schedule
        if schedule.replays and (closely := self._workshop.carry_out_closely(schedule)).broke(promise):
            start = closely
        deadline = time.monotonic() + self._shrink_budget
        broke = {schedule.describe(): start}

        def breaks(shorter: Schedule) -> bool:
            # Whether two requests meet is chance: one that did not break the promise says little.
            return any(once(shorter) for _ in range(_MEETINGS if "burst" in shorter.verbs else 1))

        def once(shorter: Schedule) -> bool:
            # In what order a short log is read as it comes is chance: it shall break the promise again, too.
            for _ in range(_TWICE if shorter.replays else 1):
                if time.monotonic() > deadline:
                    return False
                one = self._workshop.carry_out(shorter, proof=True)
                if not one.broke(promise):
                    return False
            broke[shorter.describe()] = one
            return True

        return broke[shrink(schedule, start.verdicts[promise].blamed, breaks).describe()]


def _by_chance(promise: str, first: Judged, again: Sequence[Judged]) -> bool:
    """Tell whether what is missing may be a race's: one comes true in ten times, and what it loses is lost for good."""
    found = first.verdicts[promise]
    kept = all(each.verdicts[promise].outcome == "kept" for each in again)
    return kept and len(again) < _CHANCES and not (found.totals or found.surplus)


def _by_luck(promise: str, again: Iterable[Judged]) -> bool:
    """Tell whether the clean runs, made again, differ: that those of the failure agreed was luck."""
    return any(each.verdicts[promise].reason.startswith(RESTLESS) for each in again)


def _why_not(promise: str, first: Judged, again: Sequence[Judged]) -> str:
    """Say why a failure that was carried out again proves nothing; for a crash, how it is found without luck."""
    verdicts = [each.verdicts[promise] for each in again]
    what = "".join(f": {each}" for each in first.verdicts[promise].evidence[:1])
    if seen := sum(each.broke(promise) for each in again):
        return f"{NOT_ALWAYS.format(seen=seen, tried=len(again))}{what}"
    unjudged = [each.reason for each in verdicts if each.outcome == "unknown"]
    if unjudged:
        return unjudged[0]
    schedule = first.history.header.schedule
    # A walk of write points has one message in hand at a time: what takes two is not found there.
    alone = {*first.verdicts[promise].blamed} <= {*schedule.trapped}
    crash = alone and any(trap.do == "kill" and not trap.is_write for trap in schedule.traps)
    hint = "; --explore writes finds for sure what a crash finds by luck" if crash else ""
    return f"{NOT_AGAIN}{what}{hint}"


def _entangled(promise: str, failure: Judged) -> tuple[int, bool, int]:
    """Return how many messages a failure is about, whether it is a race, and its steps: the least is the easiest."""
    schedule = failure.history.header.schedule
    about = {*failure.verdicts[promise].blamed, *schedule.trapped}
    return len(about), _is_race(schedule), schedule.steps


def _is_race(schedule: Schedule) -> bool:
    """Tell whether chance has a part in what a schedule shows.

    Requests meet, or do not; a log that is read again with nothing varied comes in another order and other batches, or
    does not; and how far a service is that is asked to stop, or was just asked for something, is luck, too, as it is
    where its links break at no certain point.
    """
    return (
        not _AT_ANY_TIME.isdisjoint(schedule.verbs)
        or schedule.replays == "again"
        or any(
            each.do == "stop" or ((each.when, each.event) == ("after", "request") and not each.later)
            for each in schedule.traps
        )
    )
