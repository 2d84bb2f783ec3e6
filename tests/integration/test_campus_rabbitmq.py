"""The reference inventory on a real RabbitMQ, without relay or runner."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from campus import Service, order, until

from atleastonce.brokers import Broker
from campus_food.messages import parse_order
from campus_food.rabbitmq import topology
from campus_food.schema import open_engine
from campus_food.store import Store

QUEUES = [topology.ORDERS, topology.INVENTORY_DEAD, topology.NOTIFICATION_DEAD, *topology.OUTCOMES.values()]
RESERVED, FAILED = topology.OUTCOMES.values()

INVENTORY = "campus_food.rabbitmq.inventory"


@pytest.fixture(scope="module", params=topology.QUEUE_TYPES)
def queue_type(request: pytest.FixtureRequest) -> str:
    """Run every test on both types of queue."""
    return str(request.param)


@pytest.fixture
def amqp_url(rabbitmq: Broker) -> str:
    """Return the address of a virtual host that has none of our queues."""
    url = f"{rabbitmq.url}/%2F"
    with connected(url) as channel:
        for queue in QUEUES:
            channel.queue_delete(queue)
    return url


@pytest.fixture
def service(amqp_url: str, queue_type: str, tmp_path: Path) -> Iterator[Service]:
    """Prepare the inventory: the test starts it."""
    with Service(INVENTORY, tmp_path, AMQP_URL=amqp_url, QUEUE_TYPE=queue_type) as service:
        yield service


@pytest.fixture
def channel(amqp_url: str) -> Iterator[Any]:
    """Open a channel."""
    with connected(amqp_url) as channel:
        yield channel


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Open a channel with confirms."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def publish(channel: Any, message: dict[str, Any] | bytes, **properties: Any) -> None:
    """Publish an order, or some bytes, confirmed."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    if isinstance(message, dict):
        properties.setdefault("message_id", message["message_id"])
    channel.basic_publish(
        "", topology.ORDERS, body, pika.BasicProperties(delivery_mode=2, **properties), mandatory=True
    )


def take(channel: Any, queue: str) -> tuple[Any, bytes]:
    """Wait for a message in a queue and take it."""
    found = until(lambda: (got := channel.basic_get(queue, auto_ack=True))[0] and got, f"message in {queue}")
    assert found
    return found[1], found[2]


def depth(channel: Any, queue: str) -> int:
    """Return how many messages wait."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def test_a_duplicate_has_one_effect(service: Service, channel: Any) -> None:
    """Two copies: one reservation, one outcome, and a line in the log."""
    service.start()
    for number in (1, 1, 2):
        publish(channel, order(number))
    service.settled("o2")
    properties, body = take(channel, RESERVED)
    assert json.loads(body)["order_id"] == "o1"
    assert json.loads(body)["message_id"] == properties.message_id
    assert json.loads(take(channel, RESERVED)[1])["order_id"] == "o2"
    assert service.stock("burger") == 98
    assert service.logged("Message m1 already processed, skipping (idempotency)")
    assert service.stop() == 0
    assert [depth(channel, queue) for queue in QUEUES] == [0] * len(QUEUES)


def test_too_little_stock_is_business(service: Service, channel: Any) -> None:
    """A refused order is told like any other, and never set aside."""
    service.start()
    publish(channel, order(1, burger=101))
    publish(channel, order(2, caviar=1))
    reasons = [json.loads(take(channel, FAILED)[1])["reason"] for _ in range(2)]
    assert reasons == ["too little stock: burger", "unknown item: caviar"]
    assert service.settled("o1") == "failed"
    assert depth(channel, topology.INVENTORY_DEAD) == 0


def test_poison_is_set_aside_whole(service: Service, channel: Any) -> None:
    """Body and headers arrive as they were, with the reason; the orders around it take effect."""
    service.start()
    poison = b'{"order_id": "poison", "invalid": json}'
    publish(channel, order(1))
    publish(channel, poison, headers={"trace": "7"}, message_id="p1")
    publish(channel, order(2))
    properties, body = take(channel, topology.INVENTORY_DEAD)
    assert body == poison
    assert properties.message_id == "p1"
    assert properties.headers["trace"] == "7"
    assert properties.headers["x-death"][0]["reason"] == "rejected"
    assert [service.settled("o1"), service.settled("o2")] == ["reserved", "reserved"]


def test_a_crash_before_the_commit_repeats_the_order(service: Service, channel: Any) -> None:
    """Killed while it waits for a locked database, it has done nothing, and does it later."""
    service.start()
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    publish(channel, order(1))
    until(lambda: service.logged("Trying again"), "the lock met")
    assert service.status() == 503
    service.kill()
    other.execute("ROLLBACK")
    other.close()
    service.start()
    assert service.settled("o1") == "reserved"
    take(channel, RESERVED)
    assert service.stock("burger") == 99
    assert depth(channel, topology.INVENTORY_DEAD) == 0


def test_a_locked_database_is_no_poison(service: Service, channel: Any) -> None:
    """It is unhealthy while locked out; then the same process goes on."""
    service.start()
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    publish(channel, order(1))
    until(lambda: service.status() == 503, "unhealthy")
    other.execute("ROLLBACK")
    other.close()
    assert service.settled("o1") == "reserved"
    until(lambda: service.status() == 200, "healthy again")


def test_a_crash_after_the_commit_publishes_the_stored_outcome(service: Service, channel: Any) -> None:
    """What is in the outbox is published at the start under its stored id; the redelivery changes nothing."""
    engine = open_engine(service.url, {"burger": 100})
    store = Store(engine)
    assert store.reserve(parse_order(json.dumps(order(1)).encode()))
    (event,) = store.unpublished()
    store.close()
    service.start()
    publish(channel, order(1))
    publish(channel, order(2))
    service.settled("o2")
    properties, body = take(channel, RESERVED)
    assert (properties.message_id, body.decode()) == (event.message_id, event.body)
    assert json.loads(take(channel, RESERVED)[1])["order_id"] == "o2"
    assert service.stock("burger") == 98


def test_kills_at_any_moment_lose_and_double_nothing(service: Service, channel: Any) -> None:
    """Orders flow while the process is killed again and again; each has its one effect at last."""
    service.start()
    for number in range(30):
        publish(channel, order(number))
        publish(channel, order(number))
        if number % 10 == 5:
            service.kill()
            service.start()
    assert {service.settled(f"o{number}") for number in range(30)} == {"reserved"}
    until(lambda: depth(channel, topology.ORDERS) == 0, "empty queue")
    assert service.stop() == 0
    assert depth(channel, topology.ORDERS) == 0
    outcomes = [take(channel, RESERVED) for _ in range(depth(channel, RESERVED))]
    # A crash between publication and its mark repeats an outcome, under the same id.
    ids = {(properties.message_id, json.loads(body)["order_id"]) for properties, body in outcomes}
    assert sorted(order_id for _, order_id in ids) == sorted(f"o{number}" for number in range(30))
    service.start()
    assert service.stock("burger") == 70


def test_a_deleted_queue_is_made_again(service: Service, channel: Any) -> None:
    """The broker cancels the consumer; it says that it is unhealthy, and begins anew."""
    service.start()
    channel.queue_delete(RESERVED)
    channel.queue_delete(topology.ORDERS)
    until(lambda: service.logged("Connecting again"), "the cancellation noticed")
    until(lambda: service.status() == 200, "healthy again")
    publish(channel, order(1))
    assert json.loads(take(channel, RESERVED)[1])["order_id"] == "o1"


def test_a_restart_of_the_broker_needs_no_help(rabbitmq: Broker, service: Service, amqp_url: str) -> None:
    """Health tells the truth all along."""
    service.start()
    with ThreadPoolExecutor() as threads:
        restart = threads.submit(rabbitmq.restart)
        until(lambda: service.status() == 503, "unhealthy")
        restart.result()
    until(lambda: service.status() == 200, "healthy again")
    with connected(amqp_url) as channel:
        publish(channel, order(1))
    assert service.settled("o1") == "reserved"


def test_no_broker_is_no_health(tmp_path: Path) -> None:
    """Without a broker it runs, answers, and says that it cannot work."""
    with Service(INVENTORY, tmp_path, AMQP_URL="amqp://127.0.0.1:1/") as service:
        service.start(status=503)
        until(lambda: service.logged("Connecting again in 0.2 s"), "a second attempt")
        assert service.stop() == 0


def test_a_wrong_setting_is_a_sentence(tmp_path: Path) -> None:
    """It names the variable, what was found and what is expected, and does not start."""
    with Service(INVENTORY, tmp_path, AMQP_URL="amqp://127.0.0.1:1/", QUEUE_TYPE="lazy") as service:
        service.launch()
        assert service.ended() == 2
        assert service.logged("QUEUE_TYPE: expected quorum or classic, found 'lazy'")
