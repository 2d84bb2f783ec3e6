"""The inventory service on RabbitMQ: `python -m campus_food.rabbitmq.inventory`.

For each order, in this order: one database transaction (inbox, stock, reservation, outbox), which it may share with
those that came with it; the outcome published and confirmed; the order acknowledged. What a crash leaves undone is
done when the order comes again, without a second effect.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress

from sqlalchemy.exc import IntegrityError

from campus_food import injection
from campus_food.ahead import AheadStore
from campus_food.database import TRANSIENT
from campus_food.messages import BadMessage, OrderPlaced, parse_order
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
        self.came()
        if not self._busy:
            self.write_down()
        self._busy = False

    def came(self) -> None:
        """Handle what was delivered and only kept: here nothing, see `Ahead`."""

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


class Ahead(Inventory):
    """Decides together what came together, ahead of taking one after the other to its settlement.

    But for what is counted or does as it is asked, one by one: what comes again, and what asks for a fault.
    """

    store: AheadStore

    def __init__(self, link: Link, store: AheadStore) -> None:
        super().__init__(link, store)
        self._came: list[Delivery] = []

    def connected(self) -> None:
        """Begin with nothing in hand: what was comes again."""
        self._came.clear()
        self.store.forget_ahead()
        super().connected()

    def delivered(self, delivery: Delivery) -> None:
        """Keep one delivery until all are there that came with it."""
        self._came.append(delivery)

    def came(self) -> None:
        """Take what has come to its settlement."""
        came, self._came = self._came, []
        orders = [*self._certain(came)]
        if len(orders) > 1:
            # What goes wrong here goes wrong for none of them in particular: each is tried by itself below.
            with suppress(*TRANSIENT, IntegrityError):
                self.store.reserve_ahead(orders)
        for delivery in came:
            if self.stopping.is_set():
                return  # only prefetched, like what comes while the service stops
            super().delivered(delivery)

    def _certain(self, came: Sequence[Delivery]) -> Iterator[OrderPlaced]:
        """Yield the orders that nothing keeps from being handled."""
        for delivery in came:
            if not delivery.redelivered and injection.HEADER not in delivery.headers:
                with suppress(BadMessage):
                    yield self.parse(delivery)


def main(inventory: type[Inventory] = Inventory, store: type[Store] = Store) -> None:
    """Run the service until SIGTERM."""
    run(INVENTORY, link_from, inventory, store, inventory_routes)


if __name__ == "__main__":
    main(Ahead, AheadStore)
