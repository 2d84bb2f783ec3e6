"""Breaks: effects-once.

It commits now and then, and forgets to when its partitions are taken: what it has done since comes to the next owner
as new, be it itself, since what it has seen is part of owning a partition. Seen in kafkajs#922.
"""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from confluent_kafka import Message, TopicPartition

from campus_food.kafka.clients import Place, Publisher, producer_settings
from campus_food.kafka.consumer import positions
from campus_food.kafka.dead_letters import set_aside
from campus_food.kafka.decisions import Decided, Placed
from campus_food.kafka.events import encode
from campus_food.kafka.inventory import COMMITTING, Inventory, main
from campus_food.mutants.kafka_no_dedupe import Overwriting

INTERVAL = 3.0  # seconds between two commits


class OwnDecisions(Overwriting):
    """Recognises what was decided since the partitions were assigned."""

    seen: dict[str, Decided]

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.seen = {}

    def _decide(
        self,
        tx: sa.Connection,
        batch: Sequence[Placed],
        stock: dict[str, int],
        known: dict[str, Decided],  # noqa: ARG002 - that is what it knows no more
    ) -> tuple[list[Decided], list[Decided]]:
        """Decide what is new to this owner."""
        return super()._decide(tx, batch, stock, self.seen)


class NoCommitOnRevoke(Inventory):
    """Commits by the clock."""

    store: OwnDecisions

    def connected(self) -> None:
        """Begin anew."""
        self.told.clear()
        self.done: dict[Place, int] = {}
        self.since = time.monotonic()
        self.publisher = Publisher(producer_settings(self.cluster))

    def handle(self, records: Sequence[Message]) -> None:
        """Do a batch, and remember how far to commit."""
        orders, poison = self.read(records)
        decided = self.retry(lambda: self.store.decide(orders, self.told)) if orders else []
        for each in decided:
            for event in each.events:
                self.publisher.produce(self.cluster.events, event.order_id, encode(event))
        for record, reason in poison:
            set_aside(self.publisher.produce, self.cluster.dead_letters, record, reason)
        self.publisher.flush()
        self.since = self.since if self.done else time.monotonic()
        self.done |= positions(records)

    def idle(self) -> None:
        """Commit where it is time."""
        if self.done and time.monotonic() - self.since > INTERVAL:
            offsets = [TopicPartition(*place, offset) for place, offset in self.done.items()]
            self.ask(lambda: self._client.commit(offsets=offsets, asynchronous=False), within=COMMITTING)
            self.done.clear()

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:  # noqa: ARG002 - that is what is wrong
        """Forget."""
        self.store.seen.clear()
        self.done.clear()


if __name__ == "__main__":
    main(inventory=NoCommitOnRevoke, store=OwnDecisions)
