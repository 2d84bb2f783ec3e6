"""Breaks: backlog-drains.

Messages live for a second, and those that expire go nowhere: what waits while the service is down is gone when
it is back. Seen in rabbitmq-server#2287.
"""

from typing import Any

from campus_food.rabbitmq import topology
from campus_food.rabbitmq.inventory import Inventory, main

LIFE = 1000  # milliseconds


def arguments(queue_type: str, dead: str) -> dict[str, Any]:
    """Return the arguments of a queue: what waits for inventory expires, and is no dead letter."""
    found = topology.arguments(queue_type, dead)
    if dead != topology.INVENTORY_DEAD:
        return found
    kept = {name: value for name, value in found.items() if name in ("x-queue-type", "x-delivery-limit")}
    return {**kept, "x-message-ttl": LIFE}


class TtlEatsBacklog(Inventory):
    """Declares a queue that forgets."""

    def declare(self, channel: Any) -> None:
        """Make sure that every queue is there."""
        topology.declare(channel, self.link.queue_type, arguments)


if __name__ == "__main__":
    main(inventory=TtlEatsBacklog)
