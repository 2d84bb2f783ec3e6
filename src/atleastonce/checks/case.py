"""What every check first asks of a history: may it be judged, and what differs from the clean runs."""

from dataclasses import dataclass

from atleastonce import effects
from atleastonce.effects import Difference
from atleastonce.history import Event, History, Moment, Observation
from atleastonce.ledger import Ledger
from atleastonce.schedule import SENTINEL
from atleastonce.verdict import Verdict

_SHOWN = 3


class Unjudgeable(Exception):  # noqa: N818 - a finding about a history, not a failure
    """This history proves nothing; the message is the reason, `occasion` whether the fault had hit at all."""

    def __init__(self, reason: str, *, occasion: bool = True) -> None:
        super().__init__(reason)
        self.occasion = occasion

    def verdict(self, promise: str) -> Verdict:
        """Return the unknown verdict that this is."""
        return Verdict(promise=promise, outcome="unknown", reason=str(self), occasion=self.occasion)


@dataclass(frozen=True)
class Case:
    """A history that may be judged."""

    history: History
    ledger: Ledger
    differences: tuple[Difference, ...]
    confirmed: frozenset[str]
    """The messages of which the broker confirmed a copy."""
    seen: frozenset[str]
    """The messages whose clean effect changes something observed."""
    named: frozenset[str]
    """Those of them to which something observed belongs by name."""
    dead_lettered: frozenset[str | None]
    """The messages in the dead-letter queue; None where one of them could not be told."""

    def repeated(self) -> tuple[str, ...]:
        """Return the messages that were delivered at least twice."""
        return tuple(m for m in self.history.header.schedule.published if self.ledger.deliveries(m) > 1)


def open_case(history: History) -> Case:
    """Read a history as a case; raise Unjudgeable where it proves nothing."""
    before, clean, second, run = _complete(history)
    _all_went_as_planned(history)
    ignore = tuple(history.header.declared.get("ignore", ()))
    if paths := effects.unstable(clean, second, ignore):
        shown = ", ".join(paths[:_SHOWN]) + (
            f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        )
        raise Unjudgeable(f"two clean runs differ, so these prove nothing: {shown}; see observe.ignore")
    ledger = Ledger(history.header.declared.get("ends", ()))
    ledger.feed(history.events)
    touched = effects.touched(clean)
    published = history.header.schedule.published
    return Case(
        history=history,
        ledger=ledger,
        differences=effects.compare(clean, run, before.values, ignore),
        confirmed=frozenset(_confirmed(history.events)),
        seen=frozenset(m for m in published if m in touched or None in touched),
        named=frozenset(m for m in published if m in touched),
        dead_lettered=frozenset(letter.message for letter in run.dead_letters),
    )


def evidence(differences: tuple[Difference, ...]) -> tuple[str, ...]:
    """Return the differences as lines."""
    return tuple(difference.describe() for difference in differences)


def blamed(differences: tuple[Difference, ...]) -> tuple[str, ...]:
    """Return the messages that the differences belong to, without the sentinel."""
    named = (difference.message for difference in differences)
    return tuple(dict.fromkeys(message for message in named if message and message != SENTINEL))


def unwitnessed(history: History) -> str | None:
    """Say why what is missing may not be accused: the canary was late, or did not fly at all (rule 7).

    The last one counts: after a late one the effect is awaited again.
    """
    canaries = [event for event in history.events if event.event == "canary"]
    if not canaries:
        return "no canary kept the time beside the service"
    last = canaries[-1]
    return None if last.ok else f"the machine was too slow for the canary too ({last.note})"


_MOMENTS: dict[Moment, str] = {
    "before": "before the faults",
    "clean-1": "of the first clean run",
    "clean-2": "of the second clean run",
    "faulty": "after the faults",
}


def _complete(history: History) -> tuple[Observation, ...]:
    """Return the observations in the order of the moments; raise Unjudgeable where one is missing."""
    found = []
    for moment, when in _MOMENTS.items():
        if (observation := history.observed(moment)) is None:
            raise Unjudgeable(_first_failure(history.events) or f"there is no observation {when}")
        if observation.unreadable:
            raise Unjudgeable(f"the observation {when} failed: {observation.unreadable}")
        found.append(observation)
    return tuple(found)


_FAILURES = {
    "unsprung": "the trap did not spring: {note}",
    "buried": "the links of the dead service could not be ended in order: {note}",
    "quiet": "not quiet in time: {note}",
    "late": "{note} came after its case had been judged; raise observe.settles",
    "unreadable": "the relay could not read a frame that it must know: {note}",
    "recorder": "the recorder failed: {note}",
    "ready": "{service} was not ready in time: {note}",
    "published": "the broker did not confirm {copy}: {note}",
}


def _first_failure(events: tuple[Event, ...]) -> str | None:
    for event in events:
        if not event.ok and event.event in _FAILURES:
            return _FAILURES[event.event].format(note=event.note, service=event.service, copy=event.copy)
    return None


def _all_went_as_planned(history: History) -> None:
    if (reason := _first_failure(history.events)) is not None:
        raise Unjudgeable(reason)
    sprung = {event.note for event in history.events if event.event == "sprung"}
    for trap in history.header.schedule.traps:
        if trap.describe() not in sprung:
            raise Unjudgeable(_FAILURES["unsprung"].format(note=trap.describe()))
    if not any(event.event == "quiet" for event in history.events):
        raise Unjudgeable("the history does not say that the service became quiet")


def _confirmed(events: tuple[Event, ...]) -> set[str]:
    return {event.message for event in events if event.event == "published" and event.ok and event.message}
