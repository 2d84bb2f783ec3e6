"""The inventory service on Kafka: `python -m campus_food.kafka.inventory`.

For each order, in this order: one database transaction (inbox, stock, reservation, outbox); the outcome in
the log, under the id from its row; the offset committed. What a crash leaves undone is done when the record
comes again, without a second effect.
"""

import logging
from typing import Any

from confluent_kafka import Message

from campus_food.kafka.clients import Cluster, cluster_from
from campus_food.kafka.consumer import Consumer
from campus_food.messages import BadMessage, OrderPlaced, parse_order
from campus_food.service import INVENTORY, run
from campus_food.store import Store
from campus_food.web import inventory_routes

MESSAGE_ID = "message_id"  # the header that says which message a record is a copy of

log = logging.getLogger(__name__)


class Inventory(Consumer):
    """Reserves stock for the orders of a topic, and tells what became of each."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        super().__init__(cluster, cluster.orders)
        self.store = store

    def connected(self) -> None:
        """Publish what an earlier life committed and had no time to publish."""
        self.retry(self.publish_outbox)

    def consumed(self, record: Message) -> None:
        """Work, and commit when it is done: after a crash in between the record comes again."""
        self.work(record)
        self.commit(record)

    def work(self, record: Message) -> None:
        """Carry out one record, or set it aside where it is no order."""
        try:
            order = parse_order(record.value(), _message_id(record))
        except BadMessage as bad:
            reason = str(bad)
            self.retry(lambda: self._set_aside(record, reason))
            return
        self.reserve(order)

    def reserve(self, order: OrderPlaced) -> None:
        """Reserve and tell; a duplicate changes nothing."""
        context = {"order_id": order.order_id, "message_id": order.message_id}
        if self.retry(lambda: self.store.reserve(order)):
            log.info("Received order event: %s", order.order_id, extra=context)
        else:
            log.info("Message %s already processed, skipping (idempotency)", order.message_id, extra=context)
        # For a duplicate too: an instance that died before publishing may have handled its first copy.
        self.retry(self.publish_outbox)

    def publish_outbox(self) -> None:
        """Publish every outcome that was not confirmed yet, and remember which are."""
        events = self.store.unpublished()
        for event in events:
            self.publisher.produce(
                self.cluster.events, event.order_id, event.body.encode(), [(MESSAGE_ID, event.message_id)]
            )
        if events:
            self.publisher.flush()
            self.store.mark_published(event.message_id for event in events)

    def _set_aside(self, record: Message, reason: str) -> None:
        """Copy the record, bytes and headers as they are, to the dead-letter topic, where there is one."""
        where = f"{record.topic()}/{record.partition()}/{record.offset()}"
        log.warning("Poison at %s, set aside", where, extra={"reason": reason})
        if self.cluster.dead_letters is None:
            return
        headers = [*(record.headers() or []), ("dead-letter-reason", reason), ("dead-letter-from", where)]
        self.publisher.produce(self.cluster.dead_letters, record.key(), record.value(), headers)
        self.publisher.flush()


def _message_id(record: Message) -> str | None:
    """Return the id from the headers; raise `BadMessage` where it is no text."""
    headers: Any = record.headers() or []  # consumed ones are always a list of pairs
    for name, value in headers:
        if name == MESSAGE_ID and value is not None:
            try:
                return value if isinstance(value, str) else value.decode()
            except UnicodeDecodeError as error:
                raise BadMessage(MESSAGE_ID, f"expected text in the header, found {value!r}") from error
    return None


def main(inventory: type[Inventory] = Inventory, store: type[Store] = Store) -> None:
    """Run the service until SIGTERM."""
    run(INVENTORY, cluster_from, inventory, store, inventory_routes)


if __name__ == "__main__":
    main()
