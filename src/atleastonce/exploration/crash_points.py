"""Crash points: the service ended, or its link cut, at every protocol event of every message of a calm run."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import get_args

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.amid import amid
from atleastonce.history import Event, History
from atleastonce.schedule import HANDED_OVER, Action, Schedule, Trap, When, is_of, publish

PROTOCOL_EVENTS = (
    "deliver", "publish", "confirm", "ack", "nack", "reject", "tx-commit", "tx-commit-ok",
    "fetch", "produce", "commit", "end-txn", "response",
)  # fmt: skip
"""What happens to a message between broker and service (DESIGN section 5).

A ``response`` is the broker's word on a commit or on the end of a transaction: whether the service has heard it
makes a difference.
"""

Point = tuple[str, str, str, int]
"""Service, event, message, and which time. Which instance of a service a message goes to differs from run to run."""


def crashes(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield every crash point, and an orderly end (SIGTERM) of the service while it is at work on a message.

    Where each service was at work for longest, it is killed in the midst of that, too.
    """
    yield from crash_points(calm, contract)
    for point in passed(calm, contract):
        if point[1] in HANDED_OVER:
            yield struck(calm, point, "after", "stop")
    for seconds, point in _longest(calm, contract):
        for later in amid(seconds):
            yield struck(calm, point, "after", "kill", later)


def in_both(first: History, second: History, contract: Contract) -> History:
    """Return the first calm run without protocol events that passed less often in the second.

    An outbox that is looked through all the time may send a message twice where an answer came late: to wait for
    that again is to wait for chance.
    """
    left = Counter(point[:3] for point in passed(second, contract))
    chance = {id(event) for event, point in _points(first, contract) if point[3] > left[point[:3]]}
    kept = tuple(event for event in first.events if id(event) not in chance)
    return msgspec.structs.replace(first, events=kept)


def crash_points(calm: History, contract: Contract, fault: str = "kill") -> Iterator[Schedule]:
    """Yield one schedule per crash point: the same messages, one trap, and the service started again."""
    for point in passed(calm, contract):
        for when in get_args(When):
            yield struck(calm, point, when, fault)


def struck(calm: History, point: Point, when: When, fault: str, later: str = "") -> Schedule:
    """Return the schedule in which a fault strikes at one point, or `later`; what it ends is started again."""
    given = calm.header.schedule
    starts = () if fault == "cut" else (Action(start=point[0]),)
    return msgspec.structs.replace(
        given,
        actions=(*publish(*given.messages), *starts),
        traps=(trap_at(point, when, fault, later),),
    )


def trap_at(point: Point, when: When, fault: str, later: str = "") -> Trap:
    """Return the trap that lets a fault strike at one point, as `passed` yields it, or that much later."""
    service, event, message, nth = point
    return Trap(when=when, event=event, message=message, nth=nth, service=service, do=fault, later=later)


def passed(calm: History, contract: Contract) -> Iterator[Point]:
    """Yield every protocol event of the calm run with the broker."""
    return (point for _, point in _points(calm, contract))


def _longest(calm: History, contract: Contract) -> Iterable[tuple[float, Point]]:
    """Return, of each service, for how long nothing passed at the most before it did something, and behind what."""
    last: dict[str, tuple[float, Point]] = {}
    found: dict[str, tuple[float, Point]] = {}
    for event, point in _points(calm, contract):
        service = point[0]
        if event.side == "subject" and service in last:
            began, behind = last[service]
            found[service] = max(found.get(service, (0.0, behind)), (event.t - began, behind))
        last[service] = event.t, point
    return found.values()


def _points(calm: History, contract: Contract) -> Iterator[tuple[Event, Point]]:
    times: Counter[tuple[str, str, str]] = Counter()
    messages = calm.header.schedule.messages
    for event in calm.events:
        if event.message in messages and event.event in PROTOCOL_EVENTS and not event.to:
            key = (_service(event, contract), event.event, str(event.message))
            times[key] += 1
            yield event, (*key, times[key])


def _service(event: Event, contract: Contract) -> str:
    return next((name for name in contract.all_services if is_of(event.service, name)), event.service)
