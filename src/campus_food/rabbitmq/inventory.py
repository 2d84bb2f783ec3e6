"""The inventory service on RabbitMQ: `python -m campus_food.rabbitmq.inventory`.

For each order, in this order: one database transaction (inbox, stock, reservation, outbox); the outcome
published and confirmed; the order acknowledged. What a crash leaves undone is done when the order comes
again, without a second effect.
"""

import logging
from contextlib import suppress

from campus_food.database import TRANSIENT
from campus_food.messages import OrderPlaced, parse_order
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.consumer import Consumer, Delivery
from campus_food.rabbitmq.link import Link, link_from
from campus_food.service import INVENTORY, run
from campus_food.store import Store
from campus_food.web import inventory_routes

log = logging.getLogger(__name__)


class Inventory(Consumer[OrderPlaced]):
    """Reserves stock for the orders of a queue, and tells what became of each."""

    queue = topology.ORDERS
    queues = (queue,)

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(link, store)
        self.store = store
        self._busy = False

    def connected(self) -> None:
        """Publish what an earlier life committed and had no time to publish."""
        self.retry(self.publish_outbox)

    def parse(self, delivery: Delivery) -> OrderPlaced:
        """Read an order."""
        return parse_order(delivery.body, delivery.message_id)

    def work(self, order: OrderPlaced) -> None:
        """Reserve and tell; a duplicate changes nothing."""
        if self.retry(lambda: self.store.reserve(order)):
            context = {"order_id": order.order_id, "message_id": order.message_id}
            log.info("Received order %s", order.order_id, extra=context)
        else:
            self.duplicate(order)
        # For a duplicate too: an instance that died before publishing may have handled its first copy.
        self.retry(lambda: self.publish_outbox(order.order_id))
        self._busy = True

    def publish_outbox(self, order_id: str | None = None) -> None:
        """Publish every outcome, or those of one order, that was not confirmed yet, and remember which are.

        Those of other orders may be on their way just now, from another instance.
        """
        for event in self.store.unpublished(order_id):
            self.publish(topology.OUTCOMES[event.kind], event)
            self.store.mark_published([event.message_id])

    def listen(self, seconds: float) -> None:
        """Take what the broker sends; when nothing more comes, write down which outcomes were confirmed."""
        super().listen(seconds)
        if not self._busy:
            self.write_down()
        self._busy = False

    def session(self) -> None:
        """Hold one connection, and leave nothing to be written down behind it."""
        try:
            super().session()
        finally:
            self.write_down()

    def write_down(self) -> None:
        """Write down which outcomes were confirmed; a failure costs a second publication of them, no more."""
        with suppress(*TRANSIENT):
            self.store.write_down()


def main(inventory: type[Inventory] = Inventory, store: type[Store] = Store) -> None:
    """Run the service until SIGTERM."""
    run(INVENTORY, link_from, inventory, store, inventory_routes)


if __name__ == "__main__":
    main()
