"""Breaks: poison-set-aside.

A low limit of deliveries, on the queue, and several messages fetched at once: each crash counts against all of
them, so that the neighbours of a message that crashes the process become dead letters beside it. Seen in
rabbitmq-website PR#2207. Classic queues know no such limit.

It pauses before it begins, so that the neighbours are there when it crashes. The shift is small; without it,
the first of the crashes may come before they were published, and they would get away with one fewer.
"""

from typing import Any

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main

LIMIT = 2
PAUSE = 0.03  # seconds


def arguments(queue_type: str, dead: str) -> dict[str, Any]:
    """Return the arguments of a queue whose broker counts the attempts."""
    found = topology.arguments(queue_type, dead)
    if "x-delivery-limit" in found:
        found["x-delivery-limit"] = LIMIT
    return found


class CollateralPoison(Inventory):
    """Leaves it to the queue to find out what is poison."""

    def declare(self, channel: Any) -> None:
        """Make sure that every queue is there."""
        topology.declare(channel, self.link.queue_type, arguments)

    def attempt(self, order: OrderPlaced, delivery: Delivery, number: int) -> None:
        """Try once, after a short while."""
        self.pause(PAUSE)
        super().attempt(order, delivery, number)


if __name__ == "__main__":
    main(inventory=CollateralPoison)
