"""What is missing is awaited for longer before it is held against a service, and once it came late, everywhere."""

from collections.abc import Callable, Iterable

import pytest

from atleastonce.findings import Judged
from atleastonce.history import Event, Header, History, Observation
from atleastonce.lateness import Lateness
from atleastonce.schedule import Message, Schedule, publish
from atleastonce.verdict import Verdict
from atleastonce.watching import Silent
from atleastonce.workshop import Workshop

LOST = "nothing-lost"
RECOVERY = 40.0


def judged(message: str, *, in_vain: float = 0.0, came: float = 0.0, surplus: bool = False) -> Judged:
    """Return a schedule, in which something is missing, came late, or was seen too often."""
    schedule = Schedule(messages={message: Message(id=message)}, actions=publish(message))
    verdict = Verdict(
        promise=LOST, outcome="broken" if in_vain or surplus else "kept", reason="none", surplus=surplus
    )
    header = Header(schedule=schedule, in_vain=in_vain)
    seen = Observation(observed="faulty", at=came)
    return Judged(
        History(header=header, events=(Event(event="quiet"),), observations=(seen,)), {LOST: verdict}
    )


class Patient(Workshop):
    """A workshop in which what is missing comes after some seconds, by message; never, where none are named."""

    def __init__(self, **seconds: float) -> None:
        self.patience = 0.0
        self.asked: list[float] = []
        self._seconds = seconds

    def carry_out(self, schedule: Schedule, *, proof: bool = False, patience: float = 0.0) -> Judged:
        """Wait for it."""
        assert not proof
        self.asked.append(patience)
        (message,) = schedule.messages
        after = self._seconds.get(message, float("inf"))
        return judged(message, came=after) if after <= patience else judged(message, in_vain=patience)


def one_by_one(failures: Iterable[Judged], do: Callable[[Judged], None]) -> None:
    """Use one lane."""
    for each in failures:
        do(each)


def test_what_comes_late_is_awaited_as_long_everywhere():
    """The simplest failure is tried first; whatever was judged as hastily is carried out again behind it."""
    workshop, kept = Patient(m1=8.0, m2=10.0, m3=0.1), judged("m0")
    late, also, other = (judged(name, in_vain=1.0) for name in ("m1", "m2", "m3"))
    all_of_them = [kept, late, also, other]
    lateness = Lateness(workshop, Silent(), RECOVERY, one_by_one)
    assert lateness.is_found(all_of_them, [late, late])
    assert workshop.asked == [RECOVERY, 12.0, 12.0]
    assert workshop.patience == 12.0
    assert [each.broke(LOST) for each in all_of_them] == [False, False, False, True]
    assert all_of_them[3] is other  # it came in time when it was tried again: that is no lateness


@pytest.mark.parametrize("recovery", [RECOVERY, 0.0])
def test_what_never_comes_is_lost(recovery):
    """And is not awaited again, neither as long nor at all, if nobody asks for that."""
    workshop, lost = Patient(), judged("m1", in_vain=1.0)
    all_of_them = [lost]
    lateness = Lateness(workshop, Silent(), recovery, one_by_one)
    assert not lateness.is_found(all_of_them, all_of_them[:])
    assert not lateness.is_found(all_of_them, all_of_them[:])
    assert workshop.asked == ([recovery] if recovery else [])
    assert all_of_them[0].history.header.in_vain == (recovery or 1.0)


def test_a_surplus_needs_no_patience():
    """What was seen was seen."""
    workshop = Patient(m1=8.0)
    doubled = judged("m1", surplus=True)
    assert not Lateness(workshop, Silent(), RECOVERY, one_by_one).is_found([doubled], [doubled])
    assert workshop.asked == []
