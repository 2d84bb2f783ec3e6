"""Breaks: recovers.

After a lost link it acknowledges once more, on the new channel, what it acknowledged last, since nobody knows
whether that arrived. Tags belong to channels: the broker closes the new one for a tag that it does not know
(406), and the process lives on without consuming. Seen in aio-pika#98.
"""

import logging
from typing import Any

from pika.exceptions import ChannelClosedByBroker

from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import GLANCE

log = logging.getLogger(__name__)


class StaleTag(Inventory):
    """Keeps a tag for longer than its channel."""

    tag: int | None = None

    def delivered(self, delivery: Delivery) -> None:
        """Take one delivery to its settlement, and remember which it was."""
        self.tag = delivery.tag
        super().delivered(delivery)

    def subscribe(self, channel: Any, queue: str) -> None:
        """Settle what may be unsettled, then consume."""
        if self.tag is not None:
            channel.basic_ack(self.tag)
        super().subscribe(channel, queue)

    def serve(self) -> None:
        """Consume; without a channel, hold the link."""
        try:
            super().serve()
        except ChannelClosedByBroker:
            log.exception("The broker closed the channel")
            self.problem = None
            while not self.stopping.is_set():
                self.listen(GLANCE)


if __name__ == "__main__":
    main(inventory=StaleTag)
