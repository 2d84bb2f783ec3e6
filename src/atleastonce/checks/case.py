"""What every check asks of a history: may it be judged, and what differs from the clean runs."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from atleastonce import agreement, effects
from atleastonce.attempts import Series, series
from atleastonce.checks.signs import FAILURES, failure, unwitnessed
from atleastonce.effects import Difference
from atleastonce.history import ENDS, Event, History, Moment, Observation
from atleastonce.ledger import Ledger
from atleastonce.schedule import HANDED_OVER, SENTINEL
from atleastonce.verdict import Verdict

M = TypeVar("M", str, str | None)


class Unjudgeable(Exception):  # noqa: N818 - a finding about a history, not a failure
    """This history proves nothing; the message is the reason, `occasion` whether the fault had hit at all."""

    def __init__(self, reason: str, *, occasion: bool = True) -> None:
        super().__init__(reason)
        self.occasion = occasion

    def verdict(self, promise: str) -> Verdict:
        """Return the unknown verdict that this is."""
        return Verdict(promise=promise, outcome="unknown", reason=str(self), occasion=self.occasion)


def unseen(of: str) -> Unjudgeable:
    """Return that effects cannot be seen, and what helps; the same for all schedules, so that it is told once."""
    advice = "observe more, or, where effects come late, raise observe.settles"
    return Unjudgeable(f"a clean run shows no effect of {of}: {advice}", occasion=False)


_MOMENTS: dict[Moment, str] = {
    "before": "before the faults",
    "clean-1": "of the first clean run",
    "clean-2": "of the second clean run",
    "faulty": "after the faults",
}

_NO_END = "the history does not say that the service became quiet"


@dataclass(frozen=True)
class Case:
    """A history, and what a check asks of it; each answer is found once, when it is first asked for.

    What rests on observations raises Unjudgeable where they prove nothing.
    """

    history: History

    # -- may it be judged

    def went_as_planned(self, *, apart_from: Collection[str] = ()) -> None:
        """Raise Unjudgeable where something failed, apart from these events, or a trap did not spring."""
        if (failed := _first_failure(self.history.failed, apart_from)) is not None:
            raise Unjudgeable(failed)
        sprung = {event.note for event in self.history.named("sprung")}
        schedule = self.history.header.schedule
        for trap in schedule.traps:
            if trap.describe() not in sprung:
                raise Unjudgeable(
                    f"the trap did not spring: {trap.describe()}", occasion=not schedule.may_miss(trap)
                )

    def became_quiet(self, *, apart_from: Collection[str] = ()) -> None:
        """Raise Unjudgeable where it did not go as planned, or did not become quiet."""
        self.went_as_planned(apart_from=apart_from)
        if self.unquiet is not None:
            raise Unjudgeable(self.unquiet)

    def ended(self) -> None:
        """Raise Unjudgeable where it did not go as planned, or has no end; `unquiet` says which end it was."""
        self.went_as_planned(apart_from=ENDS)
        if not self.history.named(*ENDS):
            raise Unjudgeable(_NO_END)

    @cached_property
    def unquiet(self) -> str | None:
        """Why it did not become quiet; None where it did."""
        ends = self.history.named(*ENDS)
        if not ends:
            return _NO_END
        bad = next((event for event in ends if not event.ok), None)
        return None if bad is None else failure(bad)

    def witnessed(self, what: str) -> None:
        """Raise Unjudgeable where nobody witnesses that this could have been there in time."""
        if (excuse := unwitnessed(self.history.named("canary"))) is not None:
            raise Unjudgeable(f"{excuse}; {what}")

    def lacking(self, promise: str, short: Collection[Difference], reason: str) -> Verdict:
        """Accuse of what is missing; raise Unjudgeable where nobody witnesses that it could have been there."""
        self.witnessed(f"missing: {'; '.join(evidence(short))}")
        guilty = blamed(short)
        return Verdict(
            promise=promise,
            outcome="broken",
            reason=reason,
            evidence=evidence(short),
            blamed=guilty,
            totals=not guilty,
        )

    # -- what was planned, what passed

    def option(self, promise: str, name: str, default: Any = None) -> Any:
        """Return an option of a promise as the contract declares it."""
        return self.history.header.declared.get("promised", {}).get(promise, {}).get(name, default)

    def promises(self, promise: str) -> bool:
        """Tell whether the contract makes this promise."""
        return promise in self.history.header.declared.get("promised", {})

    def planned(self, *verbs: str) -> bool:
        """Tell whether the schedule holds an action with one of these verbs."""
        return not self.history.header.schedule.verbs.isdisjoint(verbs)

    @property
    def poisons(self) -> tuple[str, ...]:
        """The messages of the schedule that are poison."""
        return self.history.header.schedule.poisons

    @property
    def innocents(self) -> tuple[str, ...]:
        """The messages of the schedule that are not."""
        return self.history.header.schedule.innocents

    @cached_property
    def innocent(self) -> frozenset[str]:
        """The same, to look one up."""
        return frozenset(self.innocents)

    @cached_property
    def ledger(self) -> Ledger:
        """What became of every copy."""
        declared = self.history.header.declared
        ledger = Ledger(declared.get("ends", ()), declared.get("between", ()))
        ledger.feed(self.history.events)
        return ledger

    @cached_property
    def handed(self) -> Counter[tuple[str, str | None, str | None, str]]:
        """How often each service was handed each copy, of which message and out of which queue; none is a request.

        Whatever else is counted is counted of this: it has far fewer entries than there are deliveries.
        """
        handed = self.history.named(*HANDED_OVER)
        return Counter((event.service, event.copy, event.message, event.queue) for event in handed)

    @cached_property
    def deliveries(self) -> Counter[str]:
        """How often each message was handed to a service, or asked of one, out of the same queue.

        An exchange may put one copy into several queues of a service: that is one delivery from each. What one service
        of a chain hands on has another name as a copy, and is the same message.
        """
        between = frozenset(self.history.header.declared.get("between", ()))
        asked = Counter(("", each.copy, each.message, each.queue) for each in self.history.named("asked"))
        handed: Counter[tuple[str, str]] = Counter()
        for (_, copy, message, queue), times in (*self.handed.items(), *asked.items()):
            if copy or (message and queue in between):
                handed[message or (copy or "").partition("#")[0], queue] += times
        return greatest(handed)

    @cached_property
    def confirmed(self) -> frozenset[str]:
        """The messages of which the broker confirmed a copy, or a service accepted one."""
        return frozenset(e.message for e in self.history.named("published") if e.ok and e.message)

    @cached_property
    def declined(self) -> frozenset[str]:
        """The messages that were answered with a failure for good: nobody is owed their effect."""
        return frozenset(e.message for e in self.history.named("declined") if e.message)

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """What services asked each other over HTTP, attempt by attempt."""
        return series(self.history.events) if self.history.named("request") else ()

    @cached_property
    def repeated(self) -> tuple[str, ...]:
        """The innocent messages that were delivered at least twice, or asked for twice of a service."""
        again = {each.message for each in self.series if each.reached > 1}
        again |= {message for message in self.innocents if self.deliveries[message] > 1}
        again -= self.declined
        return tuple(message for message in self.innocents if message in again)

    def stands(self, surplus: Collection[Difference]) -> None:
        """Raise Unjudgeable where what is too much may still be taken back, or may be a failure's.

        Services that ask each other compensate: that takes time, as a missing effect does.
        """
        said = "; ".join(evidence(surplus))
        if self.declined and not blamed(surplus):
            raise Unjudgeable(
                f"{listed(sorted(self.declined))} failed for good, and may be what is more: {said}"
            )
        if self.series:
            self.witnessed(f"too much: {said}")

    # -- what was seen

    def observed(self, moment: Moment) -> Observation:
        """Return the observation of a moment; raise Unjudgeable where there is none."""
        found = self.history.observed(moment)
        if found is None:
            raise Unjudgeable(f"there is no observation {_MOMENTS[moment]}")
        if found.unreadable:
            raise Unjudgeable(f"the observation {_MOMENTS[moment]} failed: {found.unreadable}")
        return found

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """How what was seen differs from the clean runs; raise Unjudgeable where that proves nothing."""
        before, clean, second, run = (self.observed(moment) for moment in _MOMENTS)
        ignore = tuple(self.history.header.declared.get("ignore", ()))
        if reason := agreement.restless(clean, second, ignore):
            raise Unjudgeable(reason)
        return effects.compare(clean, run, before.values, ignore)

    @cached_property
    def touched(self) -> frozenset[str | None]:
        """The messages whose clean effect is seen; None where something is seen that names no message."""
        return frozenset(effects.touched(self.observed("clean-1")))

    @cached_property
    def seen(self) -> frozenset[str]:
        """The innocent messages whose clean effect changes something observed."""
        return self.innocent if self.innocents and None in self.touched else self.named

    @cached_property
    def named(self) -> frozenset[str]:
        """Those of them to which something observed belongs by name."""
        return frozenset(message for message in self.innocents if message in self.touched)

    @cached_property
    def dead_lettered(self) -> frozenset[str | None]:
        """The messages in the dead-letter queue; None where one of them could not be told."""
        return frozenset(letter.message for letter in self.observed("faulty").dead_letters)

    def explained(self, owed: Collection[str]) -> bool:
        """Tell whether totals are short by what failed for good, since the effects of all others are seen by name."""
        return bool(self.declined) and {*owed} - self.declined <= self.touched

    def missing(self, suspects: Collection[str]) -> tuple[Difference, ...]:
        """Return what these messages lack of their effect.

        A total that names no message is theirs where nothing is missing by name, or by a name of theirs.
        Raise Unjudgeable where it may as well be another message's.
        """
        suspected = frozenset(suspects)
        short = [each for each in self.differences if each.kind == "deficit"]
        theirs = tuple(each for each in short if each.message in suspected)
        totals = tuple(each for each in short if each.message is None)
        if theirs or not totals:
            return (*theirs, *totals) if theirs else ()
        if any(each.message for each in short) or self.explained(suspects):
            return ()
        others = [each for each in self.innocents if each not in suspected]
        # They are cleared by effects that name them, where those of a suspect have no name.
        cleared = {*others} <= self.named and not suspected <= self.touched
        if others and not cleared:
            raise Unjudgeable(f"{listed(others)} may be what is missing: {'; '.join(evidence(totals))}")
        return totals


def greatest(handed: Mapping[tuple[M, str], int]) -> Counter[M]:
    """Return for each message how often it was handed over out of the queue from which it was most often."""
    most: Counter[M] = Counter()
    for (message, _), times in handed.items():
        if times > most.get(message, 0):
            most[message] = times
    return most


class _Latest(threading.local):
    """The case that was judged last; lanes judge side by side."""

    case: Case | None = None


_latest = _Latest()


def _case_of(history: History) -> Case:
    """Return a history as a case: the same one as for the check before, which has found most answers already."""
    if _latest.case is None or _latest.case.history is not history:
        _latest.case = Case(history)
    return _latest.case


def judged(promise: str, history: History, judge: Callable[[Case], Verdict]) -> Verdict:
    """Return what a judge says of a history: *unknown* where it raises Unjudgeable."""
    try:
        return judge(_case_of(history))
    except Unjudgeable as reason:
        return reason.verdict(promise)


def evidence(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Return the differences as lines."""
    return tuple(difference.describe() for difference in differences)


def blamed(differences: Iterable[Difference]) -> tuple[str, ...]:
    """Return the messages that the differences belong to, without the sentinel."""
    return ours(difference.message for difference in differences)


def ours(messages: Iterable[str | None]) -> tuple[str, ...]:
    """Return these messages, each once, without the sentinel and those that could not be told."""
    return tuple(dict.fromkeys(message for message in messages if message and message != SENTINEL))


def listed(messages: Iterable[str]) -> str:
    """Return these messages as words."""
    return ", ".join("the sentinel" if message == SENTINEL else message for message in messages)


def _first_failure(failed: Iterable[Event], apart_from: Collection[str]) -> str | None:
    for event in failed:
        if event.event in FAILURES and event.event not in apart_from:
            return failure(event)
    return None
