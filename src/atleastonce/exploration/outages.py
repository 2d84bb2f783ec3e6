"""Outages: the service down while messages come, its links cut, the broker out of reach or restarted."""

from collections.abc import Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import crash_points
from atleastonce.exploration.crowd import CROWD, crowd
from atleastonce.history import History
from atleastonce.schedule import Action, Schedule, is_of, publish

_BACKLOG = CROWD // 2
"""How many messages wait while a service is down; the other half of the crowd comes once it is back."""
_AT_ANY_CUT = ("nothing-lost", "effects-once")
"""What is promised however a connection breaks, also by those who promise no recovery."""
_EXPIRES = 2.0
"""How many times the time to live of a queue's messages the service is down."""
_LONGEST = 15.0
"""How long it is down at the most, in seconds."""


def outages(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield the outages that the contract promises something about.

    An outage of each service, its links cut, the broker out of its reach or restarted, a queue deleted.
    """
    services = tuple(contract.all_services)
    entry = services[0] if contract.input.http else ""
    promised = {*contract.promised}
    asking = {event.service for event in calm.events if event.event == "request"}
    if contract.broker.kind == "http":
        services = tuple(each for each in services if any(is_of(name, each) for name in asking))
    if promised & {"backlog-drains", "keeps-order"}:
        asked = {event.to for event in calm.events if event.event == "request"} - {*contract.consumers}
        waiting = (each for each in services if each != entry and each not in asked)
        yield from (backlog(calm, service) for service in waiting)
    if promised & {"recovers", "tells-health", "nothing-lost"}:
        yield from (_disturbed(calm, Action(isolate=each), Action(mend=each)) for each in services)
    if promised & {"recovers", *_AT_ANY_CUT}:
        yield from (_disturbed(calm, Action(cut=service)) for service in services)
    if "recovers" in promised:
        yield _disturbed(calm, Action(restart="broker"))
    if entry and "accepts-honestly" in promised:
        for queue in published_to(calm, entry):
            yield _disturbed(calm, Action(unroute=queue), Action(reroute=queue))
    if promised & {"recovers", "accepts-honestly", *_AT_ANY_CUT}:
        yield from crash_points(calm, contract, fault="cut")


def backlog(calm: History, service: str) -> Schedule:
    """Return the schedule in which messages wait for a service, and fresh ones come while it catches up."""
    messages = crowd(calm.header.schedule, CROWD)
    names = tuple(messages)
    pause = tuple(Action(wait=f"{seconds:.3f}s") for seconds in expiries(calm))
    actions = (
        Action(stop=service),
        *publish(*names[:_BACKLOG]),
        *pause,
        Action(start=service),
        *publish(*names[_BACKLOG:]),
    )
    return msgspec.structs.replace(calm.header.schedule, messages=messages, actions=actions)


def _disturbed(calm: History, *actions: Action) -> Schedule:
    """Return the schedule with these actions, a message published before, between and behind them.

    At least those of the calm run: so it needs no clean runs of its own.
    """
    given = calm.header.schedule
    messages = crowd(given, max(len(actions) + 1, len(given.messages)))
    first, *others = publish(*messages)
    steps = [step for pair in zip(actions, others, strict=False) for step in pair]
    behind = others[len(actions) :]
    return msgspec.structs.replace(given, messages=messages, actions=(first, *steps, *behind))


def expiries(calm: History) -> Iterator[float]:
    """Yield how long the service must be down for messages to expire, where a queue lets them."""
    lives = calm.header.declared.get("expires", {}).values()
    if lives:
        yield min(_EXPIRES * max(lives) / 1000, _LONGEST)


def published_to(calm: History, service: str) -> Iterator[str]:
    """Yield the queues that a service alone answers for, in the order in which it first published to them.

    It names them, or an exchange that has no other: were there more, a message that missed one would not be returned.
    Not those that a service of the chain consumes: RabbitMQ (3.10.8, measured) does not always tell the consumer
    of a quorum queue that it was deleted, where another of that name follows at once.
    """
    declared = calm.header.declared
    only, consumed = declared.get("only_queues", {}), declared.get("between", ())
    queues = (
        only.get(event.queue.partition("/")[0]) if "/" in event.queue else event.queue
        for event in calm.events
        if event.event == "publish" and event.service == service
    )
    yield from (queue for queue in dict.fromkeys(queues) if queue and queue not in consumed)
