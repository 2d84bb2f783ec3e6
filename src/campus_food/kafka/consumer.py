"""Consumes one topic in a group, and commits by hand."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer as Client
from confluent_kafka import KafkaError, KafkaException, Message

from campus_food.database import TRANSIENT
from campus_food.kafka.clients import Cluster, Publisher, consumer_settings
from campus_food.worker import Worker

# Seconds between looks at `stopping`, and for a question that shows whether the broker is back.
GLANCE = 0.1
QUESTION = 0.5
# Seconds that a commit is tried, through a restart of the broker; then the group is joined anew.
COMMITTING = 30.0

# The partition is somebody else's now, or is being handed out again: the record comes again to its owner.
NOT_OURS = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.FENCED_INSTANCE_ID,
}

log = logging.getLogger(__name__)


class Consumer(Worker):
    """Consumes a topic; what to do with a record is for the subclass to say.

    Promise: an offset is committed, and the broker has said so, only where `commit` was called. Between two
    polls one record is in hand at most, so that a rebalance, which happens inside a poll, interrupts nothing.
    """

    outages = (KafkaException,)
    transient = (*TRANSIENT, KafkaException, BufferError)

    def __init__(self, cluster: Cluster, topic: str) -> None:
        super().__init__()
        self.cluster = cluster
        self.topic = topic
        self._client: Any = None
        self.publisher: Any = None
        self._unreachable = False

    @abstractmethod
    def connected(self) -> None:
        """Do what must be done before the first record of a session."""

    @abstractmethod
    def consumed(self, record: Message) -> None:
        """Do the work and commit."""

    def session(self) -> None:
        """Hold one membership of the group until it fails for good or the worker is to stop."""
        self.publisher = Publisher(self.cluster)
        client = Client(consumer_settings(self.cluster) | {"error_cb": self._on_error})
        with closing(client) as self._client:  # to close is to leave the group: others take over at once
            self._client.subscribe([self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
            self.connected()
            while not self.stopping.is_set():
                self._poll()

    def pause(self, seconds: float) -> None:
        """Wait; librdkafka sends heartbeats from a thread of its own."""
        self.stopping.wait(seconds)

    def commit(self, record: Message) -> None:
        """Commit the record's offset; when this returns, the record is settled or comes again."""
        self.retry(lambda: self._commit(record), within=COMMITTING)

    def worth_another(self, error: BaseException) -> bool:
        """Tell whether to try again; after a failure that librdkafka calls fatal, only new clients help."""
        fatal = isinstance(error, KafkaException) and error.args[0].fatal()
        return not fatal and super().worth_another(error)

    def _commit(self, record: Message) -> None:
        try:
            self._client.commit(message=record, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in NOT_OURS:
                raise
            log.info("Not committed, will come again", extra={"reason": str(error)})

    def _poll(self) -> None:
        record = self._client.poll(GLANCE)
        if self._unreachable:
            self._ask()
        if record is None:
            return
        error = record.error()
        if error is None:
            self.consumed(record)
        elif error.fatal():
            raise KafkaException(error)
        else:
            # For instance a topic that is not there yet: librdkafka goes on by itself.
            log.warning("Kafka: %s", error.str())

    def _ask(self) -> None:
        """Find out whether the broker answers again: librdkafka tells of the loss, never of the return."""
        try:
            self._client.list_topics(self.topic, timeout=QUESTION)
        except KafkaException:
            return  # still away, which `problem` says already
        self._unreachable = False
        self._on_assign(self._client, self._client.assignment())

    def _on_assign(self, _client: Any, partitions: Sequence[Any]) -> None:
        self.problem = None if partitions else f"no partition of {self.topic} assigned"
        log.info("Assigned %d partitions of %s", len(partitions), self.topic)

    def _on_revoke(self, _client: Any, _partitions: Sequence[Any]) -> None:
        self.problem = f"no partition of {self.topic} assigned"

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name in confluent-kafka
            self._unreachable = True
            self.problem = error.str()
        log.warning("Kafka: %s", error.str())
