"""Breaks: accepts-honestly.

Publishes without the mandatory flag: the broker confirms a message that it can put into no queue, and throws
it away. The answer is 200. Seen in kombu#572.
"""

import pika

from campus_food.messages import Event
from campus_food.rabbitmq.link import PERSISTENT
from campus_food.rabbitmq.order import Order, main


class UnroutableOk(Order):
    """Waits for the confirm, and does not ask where the message went."""

    def publish(self, queue: str, event: Event) -> None:
        """Put an event into a queue, if there is one."""
        properties = pika.BasicProperties(
            message_id=event.message_id,
            type=event.kind,
            content_type="application/json",
            delivery_mode=PERSISTENT,
        )
        self._publishing.basic_publish("", queue, event.body.encode(), properties, mandatory=False)


if __name__ == "__main__":
    main(order=UnroutableOk)
