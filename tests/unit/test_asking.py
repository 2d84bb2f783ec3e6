"""What an answer over HTTP means: accepted, known, refused, declined, or to be asked again."""

from collections.abc import Iterator

import pytest

from atleastonce.asking import Asking, Pending
from atleastonce.history import Event
from atleastonce.recording import Record
from atleastonce.transports import Envelope
from atleastonce.transports.http import HttpEntry


class Scripted(HttpEntry):
    """Answers as a test says, one status after the other."""

    def __init__(self, statuses: Iterator[int]) -> None:
        super().__init__("POST", "http://127.0.0.1:1/")
        self._statuses = statuses

    def ask(self, envelope: Envelope) -> tuple[int, str]:  # noqa: ARG002 - whatever is asked
        """Return the next status."""
        status = next(self._statuses)
        return status, f"HTTP {status}"


def asked(*statuses: int, copies: int = 1, poison: bool = False) -> tuple[list[str], bool]:
    """Send copies of one message; return what was noted of it, and whether one was still to be asked in the end."""
    record = Record()

    def note(event: str, *, copy: str, size: int = 0, ok: bool = True, note: str = "", **_: object) -> None:
        record.add(Event(event=event, copy=copy, message="m1", size=size, ok=ok, note=note))

    asking = Asking(Scripted(iter(statuses)), record, note)
    left = 0
    for number in range(1, copies + 1):
        pending: Pending | None = Pending("m1", f"m1#{number}", Envelope(b""), poison=poison)
        try:
            while pending is not None:
                pending = asking.ask(pending)
        except StopIteration:
            left += 1
    noted = (event for event in record.events() if event.event != "asked")
    return [f"{e.event} {e.copy} {e.size}{'' if e.ok else ' not ok'}" for e in noted], bool(left)


def test_accepted_at_last():
    """No answer, and answers that say later, are asked again."""
    assert asked(0, 500, 503, 429, 409, 201) == (["published m1#1 201"], False)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_copy_of_what_was_accepted_is_known(status):
    """However the service calls that."""
    assert asked(200, status, copies=2) == (["published m1#1 200", f"published m1#2 {status}"], False)


@pytest.mark.parametrize("status", [408, 425, 429, 500])
def test_what_may_come_later_is_asked_again_though_it_was_accepted_before(status):
    """These say nothing about the message."""
    assert asked(200, status, copies=2) == (["published m1#1 200"], True)


def test_a_first_refusal_is_ours_to_explain():
    """Nobody can judge what was never taken; poison is refused rightly."""
    assert asked(422) == (["published m1#1 422 not ok"], False)
    assert asked(422, poison=True) == ([], False)


def test_a_refusal_behind_an_unknown_outcome_leaves_it_open_whether_it_was_taken():
    """It may be known, or never will be."""
    assert asked(0, 422) == (["declined m1#1 422"], False)


def test_a_conflict_may_last_as_long_as_an_earlier_request():
    """And is taken for the last word in the end."""
    assert asked(0, *[409] * 30, 200) == (["published m1#1 200"], False)
    assert asked(0, *[409] * 41) == (["declined m1#1 409"], False)


def test_a_new_case_begins_with_nothing():
    """What was accepted in an earlier case is not known in this one."""
    noted: list[str] = []
    asking = Asking(Scripted(iter([200, 422])), Record(), lambda event, **_: noted.append(event))
    for _ in range(2):
        assert asking.ask(Pending("m1", "m1#1", Envelope(b""))) is None
        asking.begin()
    assert noted == ["asked", "published", "asked", "published"]
