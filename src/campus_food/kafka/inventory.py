"""The inventory service on Kafka: `python -m campus_food.kafka.inventory`.

For each batch of orders, in this order: one database transaction (stock and decisions); one Kafka transaction
(what is told of them, dead letters, and the offsets). What a crash leaves undone in between comes again, and
is told what was decided: downstream, where what is committed is read, everything is said once.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaException, Message, TopicPartition
from sqlalchemy.exc import IntegrityError

from campus_food.database import TRANSIENT
from campus_food.kafka import bulk_log
from campus_food.kafka.clients import Cluster, cluster_from
from campus_food.kafka.consumer import Consumer, beginnings, positions
from campus_food.kafka.dead_letters import set_aside
from campus_food.kafka.decisions import Decided, Decisions, Placed
from campus_food.kafka.events import encode, read_order
from campus_food.kafka.transactions import Transactions
from campus_food.kafka.web import inventory_routes
from campus_food.messages import BadMessage
from campus_food.service import Kind, run

INVENTORY = Kind(
    "inventory",
    8001,
    {**{f"item_{number}": 1_000_000_000 for number in range(5)}, "item_sold_out": 0},
)

# Seconds that a step of a transaction is tried, through a restart of the broker; then clients are made anew.
COMMITTING = 30.0
# Seconds that a transaction may take to be taken back. A producer that needs longer may never get there, see
# `consumer.FORGOTTEN`; new clients abort it on entering.
ABORTING = 5.0

Poison = tuple[Message, str]

log = logging.getLogger(__name__)


class Inventory(Consumer):
    """Reserves stock for the orders of a topic, and tells what became of each."""

    transient = (*Consumer.transient, IntegrityError)

    def __init__(self, cluster: Cluster, store: Decisions) -> None:
        super().__init__(cluster, [cluster.orders])
        self.store = store
        self.transactions: Any = None
        self.told: dict[int, int] = {}
        """By partition that is ours, the offset before which everything was told."""
        self._written: dict[int, int] = {}

    def connected(self) -> None:
        """Lock out a predecessor before the group's offsets are read: an open transaction may hold some."""
        self.told.clear()
        self.enter()

    def enter(self) -> None:
        """Take up a producer, and end what one before it left open."""
        self.shaken = False
        self.transactions = Transactions(self.cluster)
        self.ask(self.transactions.enter, within=COMMITTING)

    def handle(self, records: Sequence[Message]) -> None:
        """Decide, then tell; a transaction that does not come about is taken back, and the batch comes again.

        A producer that went through an outage is not used again: where it forgot its brokers meanwhile, librdkafka
        (2.15) has it wait for one that is no more, for minutes, whatever time-out it is given.
        """
        if self.shaken:
            self.enter()
        orders, poison = self.read(records)
        decided = self.retry(lambda: self.store.decide(orders, self.told)) if orders else []
        try:
            self.tell(records, decided, poison)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise  # out of time, or fatal: only new clients help
            log.warning("The transaction is taken back, its records come again", extra={"reason": str(error)})
            self.ask(self.transactions.abort, within=ABORTING)
            self.rewind(records)
            return
        self.report(orders, decided)

    def read(self, records: Sequence[Message]) -> tuple[list[Placed], list[Poison]]:
        """Return the orders, and what cannot be read."""
        orders: list[Placed] = []
        poison: list[Poison] = []
        for record in records:
            try:
                body: Any = record.value()
                order = read_order(body)
            except BadMessage as bad:
                poison.append((record, str(bad)))
            else:
                place: Any = (record.partition(), record.offset())
                orders.append(Placed(order, body, *place))
        return orders, poison

    def tell(self, records: Sequence[Message], decided: Sequence[Decided], poison: Sequence[Poison]) -> None:
        """Put into one transaction what is to be said, what is set aside, and how far the group has come."""
        reached = positions(records)
        self.transactions.begin()
        self.write(decided)
        for record, reason in poison:
            set_aside(self.transactions.produce, self.cluster.dead_letters, record, reason)
        offsets = [TopicPartition(*place, offset) for place, offset in reached.items()]
        group = self._client.consumer_group_metadata()
        self.ask(lambda: self.transactions.take_offsets(offsets, group), within=COMMITTING)
        self.ask(self.transactions.commit, within=COMMITTING)
        self.told |= {partition: offset for (_, partition), offset in reached.items()}

    def write(self, decided: Sequence[Decided]) -> None:
        """Hand over what is told of orders, keyed by order."""
        self.transactions.write(
            self.cluster.events,
            ((event.order_id, encode(event)) for each in decided for event in each.events),
        )

    def rewind(self, records: Sequence[Message]) -> None:
        """Go back to where the batch began; where a partition is somebody else's by now, it comes to them."""
        for place, offset in beginnings(records).items():
            with suppress(KafkaException):
                self._client.seek(TopicPartition(*place, offset))

    def report(self, orders: Sequence[Placed], decided: Sequence[Decided]) -> None:
        """Write into the log what has been done."""
        if not log.isEnabledFor(logging.INFO):
            return
        lines: list[tuple[str, str]] = []
        answers = {each.place: each for each in decided}
        for placed in orders:
            order_id = placed.order.order_id
            answer = answers.get((placed.partition, placed.offset))
            if answer is None:
                lines.append((f"Order {order_id} already processed, skipping (idempotency)", order_id))
                continue
            lines.append((f"Received order event: {order_id}", order_id))
            if not answer.reason:
                lines += [
                    (f"Inventory event emitted: reserve {quantity} of {item}", order_id)
                    for item, quantity in placed.order.items.items()
                ]
        bulk_log.write(lines)

    def idle(self) -> None:
        """Write down what was told, while there is time."""
        if self.told != self._written:
            self.retry(lambda: self.store.remember(self.told))
            self._written = dict(self.told)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Write down for the next owner what was told; it can do without, and so does one behind a crash."""
        parted = {each.partition: self.told.pop(each.partition, 0) for each in partitions}
        with suppress(*TRANSIENT):
            self.store.remember(parted)

    def positions(self) -> Mapping[Any, int]:
        """Return how far this instance has come, where it has read to the end."""
        return dict(self.ends)


def main(inventory: type[Inventory] = Inventory, store: type[Decisions] = Decisions) -> None:
    """Run the service until SIGTERM."""
    run(INVENTORY, lambda environ: cluster_from(environ, "inventory"), inventory, store, inventory_routes)


if __name__ == "__main__":
    main()
