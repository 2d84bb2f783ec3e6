"""Breaks: nothing-lost.

Acknowledges before the work: a crash in between leaves a message that the broker has forgotten and nobody has
handled. Seen in celery#14.

Before it begins to work it asks the broker how many orders wait, for its log. Without such a round trip it
would be as wrong, but would often have finished the work when a kill tied to the acknowledgement strikes.
With it the loss shows every time.
"""

import logging

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main

log = logging.getLogger(__name__)


class AckFirst(Inventory):
    """Settles, then works."""

    def handle(self, order: OrderPlaced, delivery: Delivery) -> None:
        """Do one order, in the wrong order."""
        delivery.ack()
        waiting = delivery.channel.queue_declare(self.queue, passive=True).method.message_count
        log.info("Order %s taken, %d waiting", order.order_id, waiting)
        self.work(order)


if __name__ == "__main__":
    main(inventory=AckFirst)
