"""Our own dealings with a real Kafka: publishing, reading what came out, how much waits."""

import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from atleastonce.brokers import Broker
from atleastonce.contract import BrokerTable, Contract, Input, OutputTable, Topic
from atleastonce.errors import TransportError
from atleastonce.transports import Envelope, Letter, Receipt, Subscription, kafka_client
from atleastonce.transports.kafka import KafkaNamespace, echo

CONTRACT = Contract(
    broker=BrokerTable(kind="kafka"),
    input=Input(topic="orders", message="{message_id}"),
    output=OutputTable(topics=("outcomes",), dead_letters="letters"),
    topics={"orders": Topic(partitions=2), "outcomes": Topic(), "letters": Topic()},
)


@pytest.fixture
def namespace(kafka: Broker) -> Iterator[KafkaNamespace]:
    """Return a lane's part of a running Kafka."""
    with KafkaNamespace(kafka.url, f"test-{uuid.uuid4().hex[:8]}", CONTRACT) as namespace:
        yield namespace


def test_what_is_published_is_confirmed_with_its_place(namespace: KafkaNamespace) -> None:
    """Copies under one key lie behind each other in one partition; a null body is a null value."""
    first = namespace.publish(Envelope(b"1", headers={"a": "b"}, key="k"))
    second = namespace.publish(Envelope(None, key="k"))
    assert (first.confirmed, first.offset) == (True, 0)
    assert second == Receipt(confirmed=True, partition=first.partition, offset=1)


def test_outputs_are_taken_once_and_without_aborted_ones(namespace: KafkaNamespace, kafka: Broker) -> None:
    """Each reading goes up to the end as it is, markers of transactions and all, and begins where it ended.

    The markers follow the answer to the end of a transaction; until they lie there, nothing of it is read.
    """
    topic = namespace.topics["outcomes"]
    producer = Producer({"bootstrap.servers": kafka.url, "transactional.id": namespace.name})
    producer.init_transactions(10)
    taken: list[Letter] = []
    for body, commits in ((b"1", True), (b"2", False), (b"3", True)):
        before = len(taken)
        producer.begin_transaction()
        producer.produce(topic, body, b"key", headers={"h": b"v"})
        producer.flush(10)
        assert namespace.outputs() == []
        producer.commit_transaction(10) if commits else producer.abort_transaction(10)
        until = time.monotonic() + 5
        while commits and len(taken) == before and time.monotonic() < until:
            taken += namespace.outputs()
    letter = Letter("outcomes", b"1", {}, {"h": "v"}, "key")
    assert taken == [letter, letter._replace(body=b"3")]
    assert namespace.outputs() == []
    assert namespace.dead_letters() == []


def test_depth_is_what_the_group_has_not_committed(namespace: KafkaNamespace, kafka: Broker) -> None:
    """Nobody's backlog is none; a group that has joined and not committed owes everything."""
    orders = [Subscription(namespace.topics["orders"], namespace.group)]
    for n in range(3):
        namespace.publish(Envelope(b"x", key=str(n)))
    assert namespace.depth(orders) == 0
    settings = {"bootstrap.servers": kafka.url, "group.id": namespace.group, "enable.auto.commit": False}
    consumer = Consumer(settings | {"auto.offset.reset": "earliest"})
    consumer.subscribe([namespace.topics["orders"]])
    message = consumer.poll(10)
    assert message is not None
    assert namespace.depth(orders) == 3
    consumer.commit(message=message, asynchronous=False)
    assert namespace.depth(orders) == 2
    consumer.close()


def test_depth_leaves_out_what_a_service_keeps_its_state_in(namespace: KafkaNamespace, kafka: Broker) -> None:
    """A topic that is not the input counts once the group has committed something of it."""
    own = f"{namespace.name}-changelog"
    admin = AdminClient({"bootstrap.servers": kafka.url})
    admin.create_topics([NewTopic(own, 1, 1)])[own].result(10)
    producer = Producer({"bootstrap.servers": kafka.url})
    for n in range(3):
        producer.produce(own, str(n))
    assert producer.flush(10) == 0
    settings = {"bootstrap.servers": kafka.url, "group.id": namespace.group, "enable.auto.commit": False}
    consumer = Consumer(settings | {"auto.offset.reset": "earliest"})
    consumer.subscribe([own])
    message = consumer.poll(10)
    assert message is not None
    assert namespace.depth([Subscription(own, namespace.group)]) == 0
    consumer.commit(message=message, asynchronous=False)
    assert namespace.depth([Subscription(own, namespace.group)]) == 2
    consumer.close()


def test_offsets_are_moved_back_and_lost(namespace: KafkaNamespace, kafka: Broker) -> None:
    """A group that has lost them owes what is still there: nothing from before the places that were named."""
    orders = [Subscription(namespace.topics["orders"], namespace.group)]
    partition = {namespace.publish(Envelope(b"x", key="k")).partition for _ in range(3)}.pop()
    settings = {"bootstrap.servers": kafka.url, "group.id": namespace.group, "enable.auto.commit": False}
    done = TopicPartition(orders[0].queue, partition, 3)
    consumer = Consumer(settings)
    consumer.commit(offsets=[done], asynchronous=False)
    assert namespace.reached(orders) == {partition: 3}
    namespace.rewind(orders, {partition: 1})
    assert (namespace.reached(orders), namespace.depth(orders)) == ({partition: 1}, 2)
    namespace.forget(orders, {partition: 2})
    assert namespace.reached(orders) == {}
    consumer.commit(offsets=[TopicPartition(orders[0].queue, 1 - partition, 0)], asynchronous=False)
    assert namespace.depth(orders) == 1
    namespace.skip(partition, 2)
    assert namespace.depth(orders) == 0
    consumer.commit(offsets=[TopicPartition(orders[0].queue, partition, 3)], asynchronous=False)
    namespace.publish(Envelope(b"x", key="k"))
    assert namespace.depth(orders) == 1
    consumer.close()


def test_the_namespace_is_removed(kafka: Broker) -> None:
    """Topics are gone when the context ends."""
    with KafkaNamespace(kafka.url, f"test-{uuid.uuid4().hex[:8]}", CONTRACT) as namespace:
        namespace.prepare()
    admin, until = AdminClient({"bootstrap.servers": kafka.url}), time.monotonic() + 5
    while left := set(admin.list_topics(timeout=10).topics) & set(namespace.topics.values()):
        assert time.monotonic() < until, left


def test_a_broker_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Foreign exceptions come as ours, with what was attempted, after a bounded time."""
    monkeypatch.setattr(kafka_client, "WITHIN", 0.2)
    namespace = KafkaNamespace("127.0.0.1:1", "test", CONTRACT)
    with pytest.raises(TransportError, match=r"cannot create the topics test\.orders"), namespace:
        pass


def test_the_canary_sings(namespace: KafkaNamespace, kafka: Broker) -> None:
    """One message goes there and back."""
    echo(kafka.url, namespace.topics["letters"])
    assert [letter.body for letter in namespace.dead_letters()] == [b"canary"]
