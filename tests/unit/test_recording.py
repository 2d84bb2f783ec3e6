"""The record: what a service does beside our messages does not keep a case waiting."""

import pytest

from atleastonce.recording import Record
from histories import events


@pytest.mark.parametrize(
    ("happened", "stirred"),
    [
        ("deliver m1#1 +1; publish m1 >out +1", 2),
        ("deliver m1#1 +1; publish >health +1; confirm +1", 1),
        ("deliver m1#1 +1; write m1 +1; write m1 +1", 1),
        ("deliver m1#1 +1; publish >health +1; closed +1", 3),
        ("publish >health +1", 0),
    ],
)
def test_it_is_idle_since_a_message_of_ours_or_the_runner_stirred(happened: str, stirred: int) -> None:
    """Asked at each event it is the same as asked once: nothing is looked at twice."""
    once, each = Record(), Record()
    once.add(*events(happened))
    for event in events(happened):
        each.add(event)
        each.idle()
    assert [round(record.clock() - record.idle()) for record in (once, each)] == [stirred, stirred]


def test_a_new_case_begins_without_what_was_before() -> None:
    """Its clock begins anew."""
    record = Record()
    record.add(*events("deliver m1#1 +5"))
    record.idle()
    record.begin()
    assert record.idle() >= 0
