"""How the services reach Kafka: settings, and a producer that checks what became of each record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from campus_food import settings

# Seconds, a little more than librdkafka gives a record before it reports that it could not be delivered.
FLUSH = 12.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the broker is, and what is used there; without `dead_letters` undecodable records are skipped."""

    bootstrap: str
    orders: str
    events: str
    group: str
    dead_letters: str | None


def cluster_from(environ: Mapping[str, str]) -> Cluster:
    """Read the cluster's settings; raises `SettingError`."""
    return Cluster(
        bootstrap=settings.required(environ, "KAFKA_BOOTSTRAP"),
        orders=environ.get("ORDERS_TOPIC") or "orders",
        events=environ.get("EVENTS_TOPIC") or "inventory-events",
        group=environ.get("GROUP") or "inventory",
        dead_letters=environ.get("DEAD_LETTER_TOPIC") or None,
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


def consumer_settings(cluster: Cluster) -> dict[str, Any]:
    """Return the settings of a consumer that commits by hand; the session time-out stays at its default."""
    return connection(cluster) | {
        "group.id": cluster.group,
        "enable.auto.commit": False,
        # Offsets that are lost, or were never there, may hide orders: begin with the oldest. The inbox knows
        # those that were handled.
        "auto.offset.reset": "earliest",
        # The first fetch may name only some partitions and wait at the broker; the others wait with it.
        "fetch.wait.max.ms": 100,
        "fetch.error.backoff.ms": 50,
    }


def producer_settings(cluster: Cluster) -> dict[str, Any]:
    """Return the settings of a producer for one record at a time, each awaited."""
    return connection(cluster) | {
        "enable.idempotence": True,  # librdkafka's own retries make no second record and change no order
        "linger.ms": 0,
        "message.timeout.ms": 10000,
    }


class Publisher:
    """A producer whose `flush` tells the truth."""

    def __init__(self, cluster: Cluster) -> None:
        self._producer = Producer(producer_settings(cluster))
        self._errors: list[KafkaError] = []

    def produce(self, topic: str, key: Any, value: bytes | None, headers: list[tuple[str, Any]]) -> None:
        """Hand a record over; it is in the log when the next `flush` returns."""
        self._producer.produce(topic, key=key, value=value, headers=headers, on_delivery=self._on_delivery)

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
