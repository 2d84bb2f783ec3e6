"""Breaks: nothing-lost.

Consumes with automatic acknowledgement: the broker forgets a message as soon as it has written it to the
socket. A crash loses the one in hand and all that were fetched beside it. Seen in php-amqp#107.
"""

from functools import partial
from typing import Any

from campus_food.messages import BadMessage, OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main


class AutoAck(Inventory):
    """Has nothing left to settle: each delivery was settled when it was sent."""

    def subscribe(self, channel: Any, queue: str) -> None:
        """Consume, and let the broker acknowledge."""
        channel.basic_consume(queue, partial(self._on_delivery, queue), auto_ack=True)

    def delivered(self, delivery: Delivery) -> None:
        """Work; of what fails nothing is left that could be given back."""
        try:
            self.attempt(self.parse(delivery), delivery, self.link.attempts)
        except BadMessage as bad:
            self.poison(delivery, bad)

    def handle(self, order: OrderPlaced, _delivery: Delivery) -> None:
        """Do one order."""
        self.work(order)

    def set_aside(self, _order: OrderPlaced, _delivery: Delivery, _reason: str) -> None:
        """Do nothing: the message is gone."""

    def poison(self, _delivery: Delivery, _bad: BadMessage) -> None:
        """Do nothing: the message is gone."""


if __name__ == "__main__":
    main(inventory=AutoAck)
