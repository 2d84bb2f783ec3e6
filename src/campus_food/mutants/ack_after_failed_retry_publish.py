"""Breaks: nothing-lost.

A message to be tried again is published as a copy to a retry queue, and the original acknowledged, whatever
became of the copy: here nobody has declared the queue. Seen in dramatiq PR#545.

Tried again is what is delivered again: a crash is enough for the message to be lost.
"""

import pika

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import PERSISTENT

RETRIES = "inventory_retry"


class AckAfterFailedRetryPublish(Inventory):
    """Retries by copies."""

    def attempt(self, order: OrderPlaced, delivery: Delivery, number: int) -> None:
        """Try once; what was tried before is left for later."""
        if not delivery.redelivered:
            super().attempt(order, delivery, number)
            return
        copy = pika.BasicProperties(
            message_id=order.message_id, headers=dict(delivery.headers), delivery_mode=PERSISTENT
        )
        self._publishing.basic_publish("", RETRIES, delivery.body, copy)
        delivery.ack()


if __name__ == "__main__":
    main(inventory=AckAfterFailedRetryPublish)
