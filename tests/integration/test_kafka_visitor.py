"""The second member by which a group is rebalanced: it takes a part, and nothing of it stays."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from atleastonce.brokers import Broker
from atleastonce.transports import kafka_group

pytestmark = pytest.mark.provider("native")

CLASSIC = "partition.assignment.strategy"


@contextmanager
def reading(settings: dict[str, Any], topic: str) -> Iterator[None]:
    """Have a member of a group read a topic, from when it has its partitions."""
    consumer, assigned, over = Consumer(settings), Event(), Event()

    def read() -> None:
        consumer.subscribe([topic], on_assign=lambda *_: assigned.set())
        while not over.is_set():
            consumer.poll(0.05)

    reader = Thread(target=read)
    reader.start()
    try:
        assert assigned.wait(20)
        yield
    finally:
        over.set()
        reader.join()
        consumer.close()


@pytest.mark.parametrize("beats", [0.3, 1.5])
@pytest.mark.parametrize(
    "protocol",
    [{CLASSIC: "range"}, {CLASSIC: "cooperative-sticky"}, {"group.protocol": "consumer"}],
    ids=lambda protocol: next(iter(protocol.values())),
)
def test_a_visitor_takes_a_part_and_is_gone(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch, protocol: dict[str, Any], beats: float
) -> None:
    """Whatever the moment at which it comes between two heartbeats of the other member."""
    servers: dict[str, Any] = {"bootstrap.servers": kafka.url}
    admin = AdminClient(servers)
    topic = group = f"test-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(10)
    taken: list[int] = []

    class Spied(Consumer):
        """Notes how much it is given."""

        def subscribe(self, topics: list[str], on_assign: Any = None) -> None:  # type: ignore[override]
            """Hear of each part first."""

            def assigned(consumer: Consumer, partitions: list[Any]) -> None:
                taken.append(len(partitions))
                on_assign(consumer, partitions)

            super().subscribe(topics, on_assign=assigned)

    with reading({**servers, **protocol, "group.id": group, "client.id": "subject"}, topic):
        Event().wait(beats)  # not for anything to happen: a moment between two heartbeats (3 s)
        monkeypatch.setattr(kafka_group, "Consumer", Spied)
        assert kafka_group.joined(admin, servers, group, topic)
        left = admin.describe_consumer_groups([group], request_timeout=10)[group].result(10)
        assert [member.client_id for member in left.members] == ["subject"]
    assert taken[-1] == 1
