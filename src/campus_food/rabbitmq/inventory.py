"""The inventory service on RabbitMQ: `python -m campus_food.rabbitmq.inventory`.

For each order, in this order: one database transaction (inbox, stock, reservation, outbox); the outcome
published and confirmed; the order acknowledged. What a crash leaves undone is done when the order comes
again, without a second effect.
"""

import logging

from campus_food.messages import BadMessage, OrderPlaced, parse_order
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.consumer import Consumer, Delivery, Link, link_from
from campus_food.service import run
from campus_food.store import Store

log = logging.getLogger(__name__)


class Inventory(Consumer):
    """Reserves stock for the orders of a queue, and tells what became of each."""

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(link, topology.ORDERS)
        self.store = store

    def connected(self) -> None:
        """Publish what an earlier life committed and had no time to publish."""
        self.retry(self.publish_outbox)

    def delivered(self, delivery: Delivery) -> None:
        """Work, and settle when it is done: a crash in between makes the broker deliver again."""
        try:
            order = parse_order(delivery.body, delivery.message_id)
        except BadMessage as bad:
            log.warning("Poison, set aside", extra={"message_id": delivery.message_id, "reason": str(bad)})
            delivery.reject()
            return
        self.handle(order, delivery)

    def handle(self, order: OrderPlaced, delivery: Delivery) -> None:
        """Do one order."""
        self.work(order)
        delivery.ack()

    def work(self, order: OrderPlaced) -> None:
        """Reserve and tell; a duplicate changes nothing."""
        context = {"order_id": order.order_id, "message_id": order.message_id}
        if self.retry(lambda: self.store.reserve(order)):
            log.info("Received order %s", order.order_id, extra=context)
        else:
            log.info("Message %s already processed, skipping (idempotency)", order.message_id, extra=context)
        # For a duplicate too: an instance that died before publishing may have handled its first copy.
        self.retry(self.publish_outbox)

    def publish_outbox(self) -> None:
        """Publish every outcome that was not confirmed yet, and remember which are."""
        for event in self.store.unpublished():
            self.publish(topology.OUTCOMES[event.kind], event)
            self.store.mark_published([event.message_id])


def main(inventory: type[Inventory] = Inventory, store: type[Store] = Store) -> None:
    """Run the service until SIGTERM."""
    run(link_from, inventory, store)


if __name__ == "__main__":
    main()
