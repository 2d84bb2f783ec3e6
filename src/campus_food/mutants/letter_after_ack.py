"""Breaks: poison-set-aside.

Publishes poison to the dead-letter queue itself, as it came, but has acknowledged it by then: a crash between the
two, and it is nowhere. The same loss, by a letter that the broker did not take, is seen in runmq/queue#19.
"""

import pika

from campus_food.messages import BadMessage
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import PERSISTENT


class LetterAfterAck(Inventory):
    """Settles first."""

    def poison(self, delivery: Delivery, bad: BadMessage) -> None:  # noqa: ARG002 - what came says enough
        """Acknowledge the message, then publish what it was."""
        delivery.ack()
        letter = pika.BasicProperties(
            message_id=delivery.message_id, headers=dict(delivery.headers), delivery_mode=PERSISTENT
        )
        self._publishing.basic_publish("", topology.INVENTORY_DEAD, delivery.body, letter, mandatory=True)


if __name__ == "__main__":
    main(inventory=LetterAfterAck)
