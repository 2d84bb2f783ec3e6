"""Breaks: effects-once.

A message to be tried again is published as a copy, under an id of its own as everything that is published, and
the original acknowledged. Only ids tell messages apart: where the first try had its effect, and a crash came
before the acknowledgement, the copy has it once more. Seen in dramatiq#431.

Tried again is what is delivered again, so that one crash is enough.
"""

import json
import uuid

import pika
import sqlalchemy as sa

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import PERSISTENT
from campus_food.store import Store


class MessageStore(Store):
    """Recognises messages, and no orders."""

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Write the inbox row, with the message id in place of the order's too."""
        self.claim(tx, message_id=order.message_id, order_id=order.message_id)


class CopyThenAck(Inventory):
    """Retries by copies."""

    def attempt(self, order: OrderPlaced, delivery: Delivery, number: int) -> None:
        """Try once; what was tried before goes to the end of the queue."""
        if not delivery.redelivered:
            super().attempt(order, delivery, number)
            return
        copy = pika.BasicProperties(
            message_id=str(uuid.uuid4()), headers=dict(delivery.headers), delivery_mode=PERSISTENT
        )
        fields = {**json.loads(delivery.body), "message_id": copy.message_id}
        self._publishing.basic_publish("", self.queue, json.dumps(fields).encode(), copy, mandatory=True)
        delivery.ack()


if __name__ == "__main__":
    main(inventory=CopyThenAck, store=MessageStore)
