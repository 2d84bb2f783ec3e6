"""The words for faults and places, as the reports use them."""

import re

from atleastonce.history import Event
from atleastonce.schedule import Schedule, Trap

_BROKERS = {"rabbitmq": "RabbitMQ", "kafka": "Kafka"}

DUPLICATE_ALLOWED = "a publisher may send again after an unknown confirm"
"""The rule that allows a second copy, which no fault but an action of the schedule brings about."""

_STRUCK = {"kill": "service killed", "cut": "link cut", "hold": "link held", "noop": "nothing done"}
BY_BROKER = frozenset({"deliver", "fetch", "confirm", "return", "response"})
"""What the broker sends; everything else comes from the service."""
_ORDINALS = {2: "second", 3: "third"}

_LANE = re.compile(r"^[^./]*lane-\d+\.")
"""What stands before the name of a topic in a lane of its own."""


def fault_words(trap: Trap) -> str:
    """Say what a trap did, and when: ``service killed before ack(m1) reached the broker``."""
    struck = _STRUCK.get(trap.do, trap.do)
    nth = f"the {ordinal(trap.nth)} " if trap.nth > 1 else ""
    end = "the service" if trap.event in BY_BROKER else "the broker"
    reached = "reached" if trap.when == "before" else "had reached"
    return f"{struck} {trap.when} {nth}{trap.event}({trap.message}) {reached} {end}"


def broker_name(kind: str) -> str:
    """Return the name of a kind of broker as people write it."""
    return _BROKERS.get(kind, kind or "broker")


def ordinal(number: int) -> str:
    """Return ``second``, ``third``, ``4th`` …."""
    return _ORDINALS.get(number, f"{number}th")


def trap_of(event: Event, schedule: Schedule) -> Trap | None:
    """Return the trap that an event ``sprung`` is about, or None."""
    return next((trap for trap in schedule.traps if trap.describe() == event.note), None)


def place(event: Event) -> str:
    """Say where a message lies: its queue, or its topic and partition."""
    queue = queue_name(event.queue)
    if event.partition < 0:
        return queue
    return f"{queue}[{event.partition}]" if queue else f"partition {event.partition}"


def queue_name(name: str) -> str:
    """Return the name that the contract uses for a queue or topic."""
    return _LANE.sub("", name)
