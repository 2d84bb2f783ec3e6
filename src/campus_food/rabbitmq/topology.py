"""The queues of the ordering system, declared alike by every service that uses one."""

from collections.abc import Callable
from typing import Any

from campus_food.messages import FAILED, RESERVED

ORDERS = "inventory_order_placed"
INVENTORY_DEAD = "inventory_dlq"
NOTIFICATION_DEAD = "notification_dlq"

# Where the outcome of each kind goes.
OUTCOMES = {RESERVED: "notification_inventory_reserved", FAILED: "notification_inventory_failed"}

# Queues that are consumed, and where what their consumer rejects is put.
DEAD_LETTERS = {
    ORDERS: INVENTORY_DEAD,
    OUTCOMES[RESERVED]: NOTIFICATION_DEAD,
    OUTCOMES[FAILED]: NOTIFICATION_DEAD,
}

QUEUE_TYPES = ("quorum", "classic")

# A crash counts as an attempt against every message that was only prefetched. The broker's default of 20
# (from 4.0) would set innocent ones aside in a bad hour; its consumer recognises what is really poison.
DELIVERY_LIMIT = 1000


Arguments = Callable[[str, str], dict[str, Any]]


def arguments(queue_type: str, dead: str) -> dict[str, Any]:
    """Return the arguments of a queue of this type, whose rejected messages go to the queue `dead`."""
    found: dict[str, Any] = {
        "x-queue-type": queue_type,
        "x-dead-letter-exchange": "",  # the default exchange: it needs no binding that somebody could forget
        "x-dead-letter-routing-key": dead,
    }
    if queue_type == "quorum":
        # Without these two the broker moves dead letters without waiting for a confirm, and may lose one. The
        # strategy needs this overflow: with any other it falls back silently.
        found["x-dead-letter-strategy"] = "at-least-once"
        found["x-overflow"] = "reject-publish"
        found["x-delivery-limit"] = DELIVERY_LIMIT
    return found


def declare(channel: Any, queue_type: str, arguments_of: Arguments = arguments) -> None:
    """Make sure that every queue is there, dead-letter queues first, since others point to them."""
    for name in sorted(set(DEAD_LETTERS.values())):
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": queue_type})
    for name, dead in DEAD_LETTERS.items():
        channel.queue_declare(name, durable=True, arguments=arguments_of(queue_type, dead))
