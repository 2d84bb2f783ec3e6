"""How the services reach Kafka: settings, and producers that tell what became of each record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from campus_food import settings

# Seconds, a little more than librdkafka gives a record before it reports that it could not be delivered.
FLUSH = 12.0

BATCH = 1000
MOST_BATCH = 100_000
MOST_PACE = 10_000_000
SESSION_TIMEOUT = 45_000
LONGEST_SESSION = 1_800_000

Place = tuple[str, int]
"""A topic and a partition of it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the broker is, and what is used there; without `dead_letters` undecodable records are skipped.

    `batch` records are handled at once, at most. `throttle` is how many a second; None for no limit.
    `session_timeout` is how long a member of the group may be silent, in milliseconds.
    """

    bootstrap: str
    orders: str
    events: str
    group: str
    dead_letters: str | None = None
    transactional_id: str = ""
    batch: int = BATCH
    throttle: int | None = None
    session_timeout: int = SESSION_TIMEOUT


def cluster_from(environ: Mapping[str, str], group: str, batch: int = BATCH) -> Cluster:
    """Read the cluster's settings, with this group and batch where none is set; raises `SettingError`."""
    named = environ.get("GROUP") or group
    throttle = environ.get("THROTTLE")
    return Cluster(
        bootstrap=settings.required(environ, "KAFKA_BOOTSTRAP"),
        orders=environ.get("ORDERS_TOPIC") or "orders",
        events=environ.get("EVENTS_TOPIC") or "inventory-events",
        group=named,
        dead_letters=environ.get("DEAD_LETTER_TOPIC") or None,
        # The same after a restart, so that the predecessor's open transaction ends, and not that of another
        # instance beside it.
        transactional_id=environ.get("TRANSACTIONAL_ID") or f"{named}-{environ.get('PORT') or 'inventory'}",
        batch=settings.whole(environ, "BATCH", batch, at_most=MOST_BATCH),
        throttle=settings.whole(environ, "THROTTLE", 1, at_most=MOST_PACE) if throttle else None,
        session_timeout=settings.whole(environ, "SESSION_TIMEOUT", SESSION_TIMEOUT, at_most=LONGEST_SESSION),
    )


def connection(cluster: Cluster) -> dict[str, Any]:
    """Return what every client has in common: quick to connect, and to connect again."""
    return {
        "bootstrap.servers": cluster.bootstrap,
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 500,
        "retry.backoff.ms": 20,
        "topic.metadata.refresh.interval.ms": 2000,  # how long a topic made after the start stays unseen
    }


def _ahead(throttle: int | None) -> dict[str, Any]:
    """Return how far a throttled reader fetches ahead: a change of partitions waits behind what was fetched.

    Little at a time, and the next without delay. The broker gives whole batches all the same, so that at a few
    records a second such a change may take a minute.
    """
    if throttle is None:
        return {}
    size = min(max(4096, 16 * throttle), 1024 * 1024)
    return {"queued.min.messages": 1, "fetch.message.max.bytes": size, "fetch.queue.backoff.ms": 10}


def consumer_settings(cluster: Cluster) -> dict[str, Any]:
    """Return the settings of a consumer whose offsets are kept by hand."""
    return (
        connection(cluster)
        | {
            "group.id": cluster.group,
            "session.timeout.ms": cluster.session_timeout,
            "heartbeat.interval.ms": max(1, cluster.session_timeout // 15),  # the usual 3 s of 45
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            # Offsets that are lost, or were never there, may hide orders: begin with the oldest. The database knows
            # those that were handled.
            "auto.offset.reset": "earliest",
            # The end of a partition may lie behind marks of transactions, which no record shows.
            "enable.partition.eof": True,
            # The first fetch may name only some partitions and wait at the broker; the others wait with it.
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 50,
        }
        | _ahead(cluster.throttle)
    )


def producer_settings(cluster: Cluster) -> dict[str, Any]:
    """Return the settings of a producer for one record at a time, each awaited."""
    return connection(cluster) | {
        "enable.idempotence": True,  # librdkafka's own retries make no second record and change no order
        "linger.ms": 0,
        "message.timeout.ms": 10000,
        "message.max.bytes": MOST_RECORD,
    }


# Bytes that this side may send; what a topic takes is for the broker to say.
MOST_RECORD = 8 * 1024 * 1024


class Publisher:
    """A producer whose `flush` tells the truth."""

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self._producer = Producer(dict(configuration))
        self._errors: list[KafkaError] = []

    def produce(
        self, topic: str, key: Any, value: bytes | None, headers: Sequence[tuple[str, Any]] = ()
    ) -> None:
        """Hand a record over; it is in the log when the next `flush` returns."""
        self._producer.produce(
            topic, key=key, value=value, headers=list(headers), on_delivery=self._on_delivery
        )

    def flush(self) -> None:
        """Wait until every record is in the log; raises `KafkaException` where one may not be."""
        left = self._producer.flush(FLUSH)
        errors, self._errors = self._errors, []
        if errors:
            raise KafkaException(errors[0])
        if left:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{left} records without a report"))  # noqa: SLF001

    def _on_delivery(self, error: KafkaError | None, _record: Any) -> None:
        if error is not None:
            self._errors.append(error)
