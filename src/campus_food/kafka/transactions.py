"""A producer whose records, and the offsets of what they were made from, count together or not at all."""

from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Producer, TopicPartition

from campus_food.kafka.clients import MOST_RECORD, Cluster, connection

# Seconds for one step: below that after which a coordinator gives the transaction up.
STEP = 5.0
# Milliseconds until the broker aborts the transaction of a process that died and never came back. What lies
# behind an open one is hidden from everybody who reads what is committed.
GIVEN_UP = 15000


def transactional_settings(cluster: Cluster) -> dict[str, Any]:
    """Return the settings of a producer for many small transactions."""
    return connection(cluster) | {
        "transactional.id": cluster.transactional_id,
        "transaction.timeout.ms": GIVEN_UP,
        # The next transaction meets one whose end is still being written down, and then waits for so long; with
        # the usual 100 ms that would be what a transaction takes. It doubles where it is met again.
        "retry.backoff.ms": 1,
        "retry.backoff.max.ms": 500,
        # To commit is to flush, so nobody waits for it; many records handed over at once go out as one batch.
        "linger.ms": 5,
        "queue.buffering.max.messages": 1_000_000,
        "message.max.bytes": MOST_RECORD,
    }


class Transactions:
    """One transaction after the other, under an id that only one process at a time can use.

    Promise: to enter is to end what a predecessor of the same id left open, and to lock it out. Every step
    raises `KafkaException`; the error in it says whether to try again, to abort, or to begin with a new one.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._producer = Producer(transactional_settings(cluster))
        # Bound once: called for every record.
        self.produce = self._producer.produce

    def enter(self) -> None:
        """Take the id over."""
        self._producer.init_transactions(STEP)

    def begin(self) -> None:
        """Open a transaction; what is produced now belongs to it."""
        self._producer.begin_transaction()

    def write(self, topic: str, records: Iterable[tuple[str, bytes]]) -> None:
        """Hand records over, as pairs of key and value."""
        produce = self.produce
        for key, value in records:
            produce(topic, value, key)

    def take_offsets(self, offsets: Sequence[TopicPartition], group: Any) -> None:
        """Make these offsets of a group a part of the transaction."""
        self._producer.send_offsets_to_transaction(list(offsets), group, STEP)

    def commit(self) -> None:
        """Wait until the broker has everything, and has it committed."""
        self._producer.commit_transaction(STEP)

    def abort(self) -> None:
        """Take everything back."""
        self._producer.abort_transaction(STEP)
