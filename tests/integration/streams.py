"""Topics of a test's own on a real Kafka: writes to them, reads them, and starts the services that use them."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campus import Service, until
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

INVENTORY = "campus_food.kafka.inventory"
ANALYTICS = "campus_food.kafka.analytics"
PRODUCER = "campus_food.kafka.producer"
NAMES = ("orders", "events", "dead", "analytics-dead")
WHEN = "2026-02-17T14:33:00Z"


def order(number: int, timestamp: str = WHEN, **items: int) -> dict[str, Any]:
    """Make order o1, o2, …."""
    items = items or {"item_0": 1}
    return {"order_id": f"o{number}", "user_id": "u1", "items": items, "timestamp": timestamp}


@dataclass
class Log:
    """Topics and groups, and what is read from them and written to them."""

    bootstrap: str
    partitions: int = 1
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def topic(self, name: str) -> str:
        """Return a topic's name in this test."""
        return f"{name}-{self.run}"

    def create(self) -> None:
        """Make the topics."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        wanted = [NewTopic(self.topic(name), self.partitions, 1) for name in NAMES]
        for made in admin.create_topics(wanted).values():
            made.result(30)

    def env(self, group: str = "inventory", dead: str = "dead") -> dict[str, str]:
        """Return what tells a service to use these topics."""
        return {
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "GROUP": f"{self.run}-{group}",
            "ORDERS_TOPIC": self.topic("orders"),
            "EVENTS_TOPIC": self.topic("events"),
            "DEAD_LETTER_TOPIC": self.topic(dead),
        }

    def inventory(self, folder: Path, **env: str) -> Service:
        """Prepare the inventory."""
        return Service(INVENTORY, folder, **self.env() | env)

    def analytics(self, folder: Path, **env: str) -> Service:
        """Prepare analytics."""
        return Service(ANALYTICS, folder, **self.env("analytics", "analytics-dead") | env)

    @contextmanager
    def producing(self, *words: str) -> Iterator[Callable[[], list[str]]]:
        """Run the producer beside the block; what is given waits for its end, and returns its lines."""
        command = [sys.executable, "-m", PRODUCER, *words]
        with subprocess.Popen(
            command, env=os.environ | self.env(), stdout=subprocess.PIPE, text=True
        ) as process:

            def ended() -> list[str]:
                lines = process.communicate(timeout=60)[0].splitlines()
                assert process.returncode == 0
                return lines

            try:
                yield ended
            finally:
                process.kill()

    def produced(self, *words: str) -> list[str]:
        """Run the producer to its end; return what it printed."""
        with self.producing(*words) as ended:
            return ended()

    def publish(self, message: dict[str, Any] | bytes | None, topic: str = "orders", **headers: str) -> None:
        """Append an order, or some bytes, keyed by order."""
        value = json.dumps(message).encode() if isinstance(message, dict) else message
        key = message["order_id"] if isinstance(message, dict) else None
        producer = Producer({"bootstrap.servers": self.bootstrap})
        producer.produce(self.topic(topic), value=value, key=key, headers=list(headers.items()))
        assert producer.flush(30) == 0

    def read(self, name: str, at_least: int) -> list[Any]:
        """Wait for so many committed records, and return all that are there."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "reader"})
        consumer.assign([TopicPartition(self.topic(name), each, 0) for each in range(self.partitions)])
        records: list[Any] = []

        def enough() -> bool:
            got = consumer.consume(1000, 0.1)
            records.extend(got)
            return len(records) >= at_least and not got

        until(enough, f"{at_least} records in {name}")
        consumer.close()
        return records

    def said(self, at_least: int) -> list[str]:
        """Return the ids of the inventory's events, in their order within a partition."""
        return [json.loads(record.value())["event_id"] for record in self.read("events", at_least)]

    def committed(self, group: str = "inventory") -> int:
        """Return how many orders a group has behind it; -1 where it has none."""
        asking = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"{self.run}-{group}"})
        wanted = [TopicPartition(self.topic("orders"), each) for each in range(self.partitions)]
        try:
            places = asking.committed(wanted, timeout=10)
        except KafkaException:
            return -1
        finally:
            asking.close()
        return max(-1, sum(place.offset for place in places))
