"""Breaks: keeps-order.

Hands the messages of its queue to several threads: which is done first is up to chance, and later orders get
ahead of earlier ones. Seen in MassTransit#4777. Publishing and acknowledging stay with the link's own thread.

A race. That some work takes longer than other is a short wait here, for every other message.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import cycle

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import Link
from campus_food.store import Store

THREADS = 4
TAKES = (0.03, 0.0)  # seconds

log = logging.getLogger(__name__)


class OrderBroken(Inventory):
    """Works on several messages at once."""

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(link, store)
        self._pool = ThreadPoolExecutor(THREADS)
        self._takes = cycle(TAKES)

    def handle(self, order: OrderPlaced, delivery: Delivery) -> None:
        """Leave one order to a thread."""
        self._pool.submit(self._reserve, order, delivery, next(self._takes))

    def _reserve(self, order: OrderPlaced, delivery: Delivery, takes: float) -> None:
        time.sleep(takes)
        settle: Callable[[], None] = partial(self._settle, delivery)
        try:
            self.store.reserve(order)
        except self.transient:
            log.exception("Order %s given back", order.order_id)
            settle = delivery.requeue
        # Where the link is gone, the message comes again over the next one.
        with suppress(*self.outages):
            delivery.channel.connection.add_callback_threadsafe(settle)

    def _settle(self, delivery: Delivery) -> None:
        self.retry(self.publish_outbox)
        delivery.ack()


if __name__ == "__main__":
    main(inventory=OrderBroken)
