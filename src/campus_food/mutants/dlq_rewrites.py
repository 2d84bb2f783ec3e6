"""Breaks: poison-set-aside.

Publishes poison to the dead-letter queue itself: in a new body, decoded as well as may be, and without its
headers. What came cannot be told any more from what is there. Seen in spring-amqp#632.
"""

import json
import uuid

from campus_food.messages import BadMessage, Event
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main


class DlqRewrites(Inventory):
    """Sets aside a report in place of the message."""

    def poison(self, delivery: Delivery, bad: BadMessage) -> None:
        """Publish what it makes of the message, then settle that."""
        body = json.dumps({"error": str(bad), "body": delivery.body.decode(errors="replace")})
        self.publish(topology.INVENTORY_DEAD, Event(str(uuid.uuid4()), "Poison", "", body))
        delivery.ack()


if __name__ == "__main__":
    main(inventory=DlqRewrites)
