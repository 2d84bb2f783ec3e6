"""The reference inventory on a real Kafka, without relay or runner."""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from campus import Service, order, until
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from atleastonce.brokers import Broker
from campus_food.messages import parse_order
from campus_food.schema import open_engine
from campus_food.store import Store

INVENTORY = "campus_food.kafka.inventory"


@dataclass
class Log:
    """Topics and a group of the test's own, and what is read from them and written to them."""

    bootstrap: str
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def topic(self, name: str) -> str:
        """Return a topic's name in this test."""
        return f"{name}-{self.run}"

    def create(self) -> None:
        """Make the topics, with one partition, so that orders are handled in the order of publication."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        names = [self.topic(name) for name in ("orders", "events", "dead")]
        for made in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            made.result(30)

    def env(self, group: str = "") -> dict[str, str]:
        """Return what tells a service to use these topics, in another group if one is named."""
        return {
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "GROUP": self.run + group,
            "ORDERS_TOPIC": self.topic("orders"),
            "EVENTS_TOPIC": self.topic("events"),
            "DEAD_LETTER_TOPIC": self.topic("dead"),
        }

    def publish(self, message: dict[str, Any] | bytes | None, **headers: str) -> None:
        """Append an order, or some bytes, to the orders."""
        value = json.dumps(message).encode() if isinstance(message, dict) else message
        producer = Producer({"bootstrap.servers": self.bootstrap})
        producer.produce(self.topic("orders"), value=value, headers=list(headers.items()))
        assert producer.flush(30) == 0

    def read(self, name: str, at_least: int) -> list[Any]:
        """Wait for so many records, and return all that are there."""
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "reader", "enable.partition.eof": False}
        )
        consumer.assign([TopicPartition(self.topic(name), 0, 0)])
        records: list[Any] = []

        def enough() -> bool:
            records.extend(consumer.consume(1000, 0.1))
            return len(records) >= at_least

        until(enough, f"{at_least} records in {name}")
        consumer.close()
        return records

    def committed(self) -> int:
        """Return the group's offset in the orders."""
        asking = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.run})
        try:
            (place,) = asking.committed([TopicPartition(self.topic("orders"), 0)], timeout=10)
        except KafkaException:
            return -1
        finally:
            asking.close()
        return int(place.offset)


@pytest.fixture
def log(kafka: Broker) -> Log:
    """Make topics of the test's own."""
    log = Log(kafka.url)
    log.create()
    return log


@pytest.fixture
def service(log: Log, tmp_path: Path) -> Iterator[Service]:
    """Prepare the inventory: the test starts it."""
    with Service(INVENTORY, tmp_path, **log.env()) as service:
        yield service


def test_a_duplicate_has_one_effect(service: Service, log: Log) -> None:
    """Two copies: one reservation, one outcome under the id of its row, and a line in the log."""
    service.start()
    for number in (1, 1, 2):
        log.publish(order(number))
    service.settled("o2")
    outcomes = log.read("events", 2)
    assert [record.key() for record in outcomes] == [b"o1", b"o2"]
    said = [json.loads(record.value())["message_id"].encode() for record in outcomes]
    assert [dict(record.headers())["message_id"] for record in outcomes] == said
    assert service.stock("burger") == 98
    assert service.logged("Message m1 already processed, skipping (idempotency)")
    assert service.stop() == 0
    assert log.committed() == 3


def test_poison_is_set_aside_whole(service: Service, log: Log) -> None:
    """Undecodable bytes, and none at all, go to the dead letters; the orders behind them take effect."""
    service.start()
    log.publish(b'{"order_id": "poison", "invalid": json}', trace="7")
    log.publish(None)
    log.publish(order(1))
    assert service.settled("o1") == "reserved"
    first, second = log.read("dead", 2)
    assert first.value() == b'{"order_id": "poison", "invalid": json}'
    assert first.headers()[0] == ("trace", b"7")
    assert second.value() is None


def test_a_crash_before_the_commit_repeats_the_order(service: Service, log: Log, tmp_path: Path) -> None:
    """Killed while it waits for a locked database, it has done nothing, and does it later."""
    service.start()
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    log.publish(order(1))
    until(lambda: service.logged("Trying again"), "the lock met")
    assert service.status() == 503
    service.kill()
    other.execute("ROLLBACK")
    other.close()
    assert log.committed() < 0
    # In a group of its own, since the old one waits 45 s for the dead member.
    with Service(INVENTORY, tmp_path, **log.env("-again")) as again:
        again.start()
        assert again.settled("o1") == "reserved"
        assert again.stock("burger") == 99
        assert [record.key() for record in log.read("events", 1)] == [b"o1"]


def test_lost_offsets_double_nothing(service: Service, log: Log, tmp_path: Path) -> None:
    """Without its offsets it begins with the oldest record, and knows what it handled."""
    service.start()
    for number in range(5):
        log.publish(order(number))
    service.settled("o4")
    assert service.stop() == 0
    log.publish(order(5))
    with Service(INVENTORY, tmp_path, **log.env("-again")) as again:
        again.start()
        again.settled("o5")
        assert again.stock("burger") == 94
        assert [record.key() for record in log.read("events", 6)] == [b"o%d" % n for n in range(6)]


def test_a_crash_after_the_commit_publishes_the_stored_outcome(service: Service, log: Log) -> None:
    """What is in the outbox is published at the start under its stored id; the record changes nothing."""
    store = Store(open_engine(service.url, Store.TABLES))
    store.fill({"burger": 100})
    assert store.reserve(parse_order(json.dumps(order(1)).encode()))
    (event,) = store.unpublished()
    store.close()
    log.publish(order(1))
    log.publish(order(2))
    service.start()
    service.settled("o2")
    first, second = log.read("events", 2)
    assert (dict(first.headers())["message_id"].decode(), first.value().decode()) == (
        event.message_id,
        event.body,
    )
    assert second.key() == b"o2"
    assert service.stock("burger") == 98


def test_a_restart_goes_on_where_it_stopped(service: Service, log: Log) -> None:
    """A clean stop settles everything and leaves the group: the next start has its record at once."""
    service.start()
    log.publish(order(1))
    service.settled("o1")
    assert service.stop() == 0
    assert log.committed() == 1
    log.publish(order(2))
    service.start()
    service.settled("o2")
    assert [record.key() for record in log.read("events", 2)] == [b"o1", b"o2"]


def test_a_dead_broker_is_noticed_and_found_again(kafka: Broker, service: Service, log: Log) -> None:
    """Health tells the truth all along, and nobody has to help."""
    service.start()
    kafka.kill()
    until(lambda: service.status() == 503, "unhealthy")
    kafka.restart()
    until(lambda: service.status() == 200, "healthy again")
    log.publish(order(1))
    assert service.settled("o1") == "reserved"


def test_no_broker_is_no_health(tmp_path: Path) -> None:
    """Without a broker it runs, answers, and says that it cannot work."""
    with Service(INVENTORY, tmp_path, KAFKA_BOOTSTRAP="127.0.0.1:1") as service:
        service.start(status=503)
        assert service.stop() == 0
