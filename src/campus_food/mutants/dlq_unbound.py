"""Breaks: poison-set-aside.

Dead letters go to an exchange to which nobody has bound a queue: what is rejected is gone. Seen in
rabbitmq-website#706.

At-least-once dead-lettering would keep such a letter, invisibly, until a queue is bound. It is left out here,
as it is by most.
"""

from typing import Any

from campus_food.rabbitmq import topology
from campus_food.rabbitmq.inventory import Inventory, main

UNBOUND = "inventory_dead"


def arguments(queue_type: str, dead: str) -> dict[str, Any]:
    """Return the arguments of a queue whose dead letters go to the exchange."""
    found = {**topology.arguments(queue_type, dead), "x-dead-letter-exchange": UNBOUND}
    found.pop("x-dead-letter-strategy", None)
    found.pop("x-overflow", None)
    return found


class DlqUnbound(Inventory):
    """Declares exchange and queues, and forgets what joins them."""

    def declare(self, channel: Any) -> None:
        """Make sure that the exchange and every queue is there."""
        channel.exchange_declare(UNBOUND, "direct", durable=True)
        topology.declare(channel, self.link.queue_type, arguments)


if __name__ == "__main__":
    main(inventory=DlqUnbound)
