"""Crash points: the service killed before and after every protocol event of every message of a calm run."""

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from atleastonce.history import Event, History
from atleastonce.schedule import Action, Schedule, Trap, When, publish

PROTOCOL_EVENTS = ("deliver", "publish", "confirm", "ack", "nack", "reject", "fetch", "produce", "commit")
"""What happens to a message between broker and service (DESIGN section 5)."""


def crash_points(calm: History, fault: str = "kill") -> Iterator[Schedule]:
    """Yield one schedule per crash point: the same messages, one trap, and the service started again."""
    schedule = calm.header.schedule
    for service, event, message, nth in _passed(calm):
        for when in get_args(When):
            yield Schedule(
                contract=schedule.contract,
                seed=schedule.seed,
                messages=schedule.messages,
                actions=(*publish(*schedule.messages), Action(start=service)),
                traps=(Trap(when=when, event=event, message=message, nth=nth, service=service, do=fault),),
            )


def _passed(calm: History) -> Iterator[tuple[str, str, str, int]]:
    """Yield service, event, message and which time, for every protocol event of the calm run."""
    times: Counter[tuple[str, str, str]] = Counter()
    for event in calm.events:
        if (key := _key(event, calm.header.schedule)) is not None:
            times[key] += 1
            yield (*key, times[key])


def _key(event: Event, schedule: Schedule) -> tuple[str, str, str] | None:
    if event.message is None or event.message not in schedule.messages or event.event not in PROTOCOL_EVENTS:
        return None
    return event.service, event.event, event.message
