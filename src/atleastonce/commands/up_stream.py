"""The topics between the reference services on Kafka: made, written to, and how much lies in them."""

import contextlib
from collections.abc import Iterator

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # documented

from atleastonce.brokers.broker import Say
from atleastonce.errors import TransportError
from campus_food.kafka import producer
from campus_food.kafka.clients import Cluster, Publisher, connection

PARTITIONS = 4
ORDERS, EVENTS = "orders", "inventory-events"
DEAD = {"inventory": "orders-dead", "analytics": "analytics-dead", "slow": "slow-dead"}
"""By service, where it sets aside what it cannot read."""
POISON = b'{"order_id": "poison", "invalid": json}'
_CREATED_WITHIN = 30  # seconds


class Stream:
    """The topics on a broker that is ours alone."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._cluster = Cluster(bootstrap, ORDERS, EVENTS, "up")

    def create(self) -> None:
        """Make the topics; raise TransportError."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        topics = [NewTopic(name, PARTITIONS) for name in (ORDERS, EVENTS, *DEAD.values())]
        with _translated("create the topics"):
            for made in admin.create_topics(topics).values():
                made.result(_CREATED_WITHIN)

    def produce(self, plan: producer.Plan, say: Say) -> None:
        """Publish a plan's orders, as `python -m campus_food.kafka.producer` does; raise TransportError."""
        with _translated("publish orders"):
            producer.publish(self._cluster, plan, say)

    def poison(self) -> None:
        """Publish what is no JSON to the orders; raise TransportError."""
        with _translated("publish a poison"):
            publisher = Publisher(connection(self._cluster))
            publisher.produce(ORDERS, None, POISON)
            publisher.flush()


@contextlib.contextmanager
def _translated(attempt: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as exc:
        raise TransportError(f"cannot {attempt}: {exc.args[0].str()}") from exc
