"""Consumes topics in a group, batch by batch, with the offsets kept by hand."""

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from math import inf
from typing import Any, TypeVar

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from campus_food.database import TRANSIENT
from campus_food.kafka.clients import Cluster, Place, consumer_settings
from campus_food.worker import Worker

# Seconds between looks at `stopping`, and for a question that shows whether the broker is back.
GLANCE = 0.1
QUESTION = 0.5
# Seconds that the broker may let a step wait before that is a problem. How long a step may last is no measure of it:
# librdkafka (2.15, measured) waits over 10 s for offsets to be taken where every connection was cut.
SILENCE = 3.0
# Seconds of no broker at all behind which a client is made anew. librdkafka (2.13 to 2.15, its issue 5301) may forget
# every address for good where a broker that is just back names no broker at all, not even itself.
FORGOTTEN = 5.0
# A throttled consumer takes what is due in so many seconds, and then waits for as long.
TICK = 0.1

# Their public names in confluent-kafka.
END = KafkaError._PARTITION_EOF  # noqa: SLF001
ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001

T = TypeVar("T")

log = logging.getLogger(__name__)


class Consumer(Worker):
    """Consumes topics; what to do with a batch is for the subclass to say.

    Promise: nothing of the batch is in hand when partitions change hands, since that happens inside a poll, and
    a batch is handled between two of them. A record that was polled, and whose partition went away before
    the batch was complete, is dropped: it comes to the new owner.
    """

    outages: tuple[type[BaseException], ...] = (KafkaException,)
    transient: tuple[type[BaseException], ...] = (*TRANSIENT, KafkaException, BufferError)

    def __init__(self, cluster: Cluster, topics: Sequence[str]) -> None:
        super().__init__()
        self.cluster = cluster
        self.topics = list(topics)
        self.ends: dict[Place, int] = {}
        """The offsets behind the last record, of partitions that were read to the end."""
        self._client: Any = None
        self._first: list[Message] = []
        self._unreachable: float | None = None
        self.shaken = False
        """Whether every broker was lost since somebody last set this back."""
        self._asked: float | None = None

    @abstractmethod
    def connected(self) -> None:
        """Do what must be done before the first record of a session."""

    @abstractmethod
    def handle(self, records: Sequence[Message]) -> None:
        """Do the work of a batch, and settle it."""

    def idle(self) -> None:
        """Do what can wait until there is nothing else to do."""

    def at_end(self) -> None:
        """Take notice that some partition was read to its end, see `ends`."""

    def assigned(self, client: Any, partitions: Sequence[TopicPartition]) -> None:
        """Say where to begin; by default with the group's offsets."""

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Part with partitions."""

    def client_settings(self) -> dict[str, Any]:
        """Return the settings of the client."""
        return consumer_settings(self.cluster) | {"error_cb": self._on_error}

    def session(self) -> None:
        """Hold one membership of the group until it fails for good or the worker is to stop."""
        self.connected()
        client = Client(self.client_settings())
        with closing(client) as self._client:  # to close is to leave the group: others take over at once
            self._first.clear()
            self._unreachable = None
            client.subscribe(
                self.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )
            while not self.stopping.is_set():
                self._poll()

    def pause(self, seconds: float) -> None:
        """Wait; librdkafka sends heartbeats from a thread of its own."""
        self.stopping.wait(seconds)

    def health(self) -> str | None:
        """Tell why no work can be done; that a step gets no answer is known here long before it fails."""
        asked = self._asked
        silent = 0.0 if asked is None else time.monotonic() - asked
        if self.problem is None and silent > SILENCE:
            return f"no answer from the broker for {silent:.0f} s"
        return self.problem

    def ask(self, action: Callable[[], T], *, within: float = inf) -> T:
        """Do a step that waits for the broker's answer, and do it again, see `retry`."""
        self._asked = time.monotonic()
        try:
            return self.retry(action, within=within)
        finally:
            self._asked = None

    def worth_another(self, error: BaseException) -> bool:
        """Tell whether to try again; after a failure that librdkafka calls fatal, only new clients help."""
        if not isinstance(error, KafkaException):
            return super().worth_another(error)
        reason = error.args[0]
        return not (reason.fatal() or reason.txn_requires_abort()) and super().worth_another(error)

    def _poll(self) -> None:
        got = self._gather()
        if self._unreachable is not None:
            self._ask(self._unreachable)
        records = [record for record in got if record.error() is None]
        if records:
            self.handle(records)
        if len(records) < len(got):
            self._note([record for record in got if record.error() is not None])
        if not records:
            self.idle()
        elif self.cluster.throttle:
            self.stopping.wait(len(records) / self.cluster.throttle)

    def _gather(self) -> list[Message]:
        """Return what is there, at once where there is something; a batch that waits for more is a late one."""
        first = self._client.poll(GLANCE)
        if first is None:
            return []
        # Where partitions change hands in the next call, `_on_revoke` takes it out again.
        self._first.append(first)
        most = self.cluster.batch
        if self.cluster.throttle:
            most = min(most, max(1, int(self.cluster.throttle * TICK)))
        more = self._client.consume(most - 1, 0) if most > 1 else []
        got = [*self._first, *more]
        self._first.clear()
        return got

    def _note(self, signs: Sequence[Any]) -> None:
        """Take in what is no record; raises `KafkaException` where it is fatal."""
        self._note_ends([sign for sign in signs if sign.error().code() == END])
        for sign in signs:
            error = sign.error()
            if error.fatal():
                raise KafkaException(error)
            if error.code() != END:
                # For instance a topic that is not there yet: librdkafka goes on by itself.
                log.warning("Kafka: %s", error.str())

    def _note_ends(self, signs: Sequence[Any]) -> None:
        if signs:
            self.ends |= {(sign.topic(), sign.partition()): sign.offset() for sign in signs}
            self.at_end()

    def _ask(self, since: float) -> None:
        """Find out whether the broker answers again: librdkafka tells of the loss, never of the return.

        Raises `KafkaException` where that has lasted for so long that only a new client may know the way.
        """
        try:
            self._find_brokers()
        except KafkaException:
            if time.monotonic() - since > FORGOTTEN:
                raise
            return  # still away, which `problem` says already
        self._unreachable = None
        self._tell(self._client.assignment())

    def _find_brokers(self) -> None:
        if not self._client.list_topics(self.topics[0], timeout=QUESTION).brokers:
            raise KafkaException(KafkaError(ALL_DOWN))

    def _tell(self, partitions: Sequence[Any]) -> None:
        self.problem = None if partitions else f"no partition of {', '.join(self.topics)} assigned"

    def _on_assign(self, client: Any, partitions: Sequence[TopicPartition]) -> None:
        self.assigned(client, partitions)
        self._tell(partitions)
        log.info("Assigned %d partitions of %s", len(partitions), ", ".join(self.topics))

    def _on_revoke(self, _client: Any, partitions: Sequence[TopicPartition]) -> None:
        self._first.clear()
        for each in partitions:
            self.ends.pop((each.topic, each.partition), None)
        self.revoked(partitions)
        self._tell(())

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == ALL_DOWN:
            self.shaken = True
            self._unreachable = self._unreachable or time.monotonic()
            self.problem = error.str()
        log.warning("Kafka: %s", error.str())


def positions(records: Sequence[Message]) -> dict[Place, int]:
    """Return for each partition the offset behind its last record of the batch."""
    found: dict[Any, Any] = {}
    for record in records:  # in the order of their offsets, so that the last one stays
        found[(record.topic(), record.partition())] = record.offset()
    return {place: offset + 1 for place, offset in found.items()}


def beginnings(records: Sequence[Message]) -> dict[Place, int]:
    """Return for each partition the offset of its first record of the batch."""
    found: dict[Any, Any] = {}
    for record in reversed(records):
        found[(record.topic(), record.partition())] = record.offset()
    return found
