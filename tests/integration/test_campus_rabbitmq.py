"""The reference inventory on a real RabbitMQ, without relay or runner."""

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from campus import Queues, Service, Wire, order, until

from atleastonce.brokers import Broker
from campus_food.messages import parse_order
from campus_food.rabbitmq import topology
from campus_food.schema import open_engine
from campus_food.store import Store

RESERVED, FAILED = topology.OUTCOMES.values()

INVENTORY = "campus_food.rabbitmq.inventory"


@pytest.fixture
def service(queues: Queues, queue_type: str, tmp_path: Path) -> Iterator[Service]:
    """Prepare the inventory: the test starts it."""
    with Service(INVENTORY, tmp_path, AMQP_URL=queues.url, QUEUE_TYPE=queue_type) as service:
        yield service


def test_a_duplicate_has_one_effect(service: Service, queues: Queues) -> None:
    """Two copies: one reservation, one outcome, and a line in the log."""
    service.start()
    for number in (1, 1, 2):
        queues.publish(order(number))
    service.settled("o2")
    properties, body = queues.take(RESERVED)
    assert json.loads(body)["order_id"] == "o1"
    assert json.loads(body)["message_id"] == properties.message_id
    assert json.loads(queues.take(RESERVED)[1])["order_id"] == "o2"
    assert service.stock("burger") == 98
    assert service.logged("Message m1 already processed, skipping (idempotency)")
    assert service.stop() == 0
    assert [queues.depth(queue) for queue in Queues.NAMES] == [0] * len(Queues.NAMES)


def test_too_little_stock_is_business(service: Service, queues: Queues) -> None:
    """A refused order is told like any other, and never set aside."""
    service.start()
    queues.publish(order(1, burger=101))
    queues.publish(order(2, caviar=1))
    reasons = [json.loads(queues.take(FAILED)[1])["reason"] for _ in range(2)]
    assert reasons == ["too little stock: burger", "unknown item: caviar"]
    assert service.settled("o1") == "failed"
    assert queues.depth(topology.INVENTORY_DEAD) == 0


def test_poison_is_set_aside_whole(service: Service, queues: Queues) -> None:
    """Body and headers arrive as they were, with the reason; the orders around it take effect."""
    service.start()
    poison = b'{"order_id": "poison", "invalid": json}'
    queues.publish(order(1))
    queues.publish(poison, headers={"trace": "7"}, message_id="p1")
    queues.publish(order(2))
    properties, body = queues.take(topology.INVENTORY_DEAD)
    assert body == poison
    assert properties.message_id == "p1"
    assert properties.headers["trace"] == "7"
    assert properties.headers["x-death"][0]["reason"] == "rejected"
    assert [service.settled("o1"), service.settled("o2")] == ["reserved", "reserved"]


def test_a_crash_before_the_commit_repeats_the_order(service: Service, queues: Queues) -> None:
    """Killed while it waits for a locked database, it has done nothing, and does it later."""
    service.start()
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    queues.publish(order(1))
    until(lambda: service.logged("Trying again"), "the lock met")
    assert service.status() == 503
    service.kill()
    other.execute("ROLLBACK")
    other.close()
    service.start()
    assert service.settled("o1") == "reserved"
    queues.take(RESERVED)
    assert service.stock("burger") == 99
    assert queues.depth(topology.INVENTORY_DEAD) == 0


def test_a_locked_database_is_no_poison(service: Service, queues: Queues) -> None:
    """It is unhealthy while locked out; then the same process goes on."""
    service.start()
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    queues.publish(order(1))
    until(lambda: service.status() == 503, "unhealthy")
    other.execute("ROLLBACK")
    other.close()
    assert service.settled("o1") == "reserved"
    until(lambda: service.status() == 200, "healthy again")


def test_a_crash_after_the_commit_publishes_the_stored_outcome(service: Service, queues: Queues) -> None:
    """What is in the outbox is published at the start under its stored id; the redelivery changes nothing."""
    store = Store(open_engine(service.url, Store.TABLES))
    store.fill({"burger": 100})
    assert store.reserve(parse_order(json.dumps(order(1)).encode()))
    (event,) = store.unpublished()
    store.close()
    service.start()
    queues.publish(order(1))
    queues.publish(order(2))
    service.settled("o2")
    properties, body = queues.take(RESERVED)
    assert (properties.message_id, body.decode()) == (event.message_id, event.body)
    assert json.loads(queues.take(RESERVED)[1])["order_id"] == "o2"
    assert service.stock("burger") == 98


def test_kills_at_any_moment_lose_and_double_nothing(service: Service, queues: Queues) -> None:
    """Orders flow while the process is killed again and again; each has its one effect at last."""
    service.start()
    for number in range(30):
        queues.publish(order(number))
        queues.publish(order(number))
        if number % 10 == 5:
            service.kill()
            service.start()
    assert {service.settled(f"o{number}") for number in range(30)} == {"reserved"}
    until(lambda: queues.depth(topology.ORDERS) == 0, "empty queue")
    assert service.stop() == 0
    assert queues.depth(topology.ORDERS) == 0
    outcomes = [queues.take(RESERVED) for _ in range(queues.depth(RESERVED))]
    # A crash between publication and its mark repeats an outcome, under the same id.
    ids = {(properties.message_id, json.loads(body)["order_id"]) for properties, body in outcomes}
    assert sorted(order_id for _, order_id in ids) == sorted(f"o{number}" for number in range(30))
    service.start()
    assert service.stock("burger") == 70


def test_a_deleted_queue_is_made_again(service: Service, queues: Queues) -> None:
    """The broker cancels the consumer; it says that it is unhealthy, and begins anew."""
    service.start()
    queues.channel.queue_delete(RESERVED)
    queues.channel.queue_delete(topology.ORDERS)
    until(lambda: service.logged("Connecting again"), "the cancellation noticed")
    until(lambda: service.status() == 200, "healthy again")
    queues.publish(order(1))
    assert json.loads(queues.take(RESERVED)[1])["order_id"] == "o1"


@pytest.mark.restarts_broker
def test_a_restart_of_the_broker_needs_no_help(rabbitmq: Broker, service: Service, queues: Queues) -> None:
    """Health tells the truth all along."""
    queues.channel.connection.close()  # it would not survive either
    service.start()
    with ThreadPoolExecutor() as threads:
        restart = threads.submit(rabbitmq.restart)
        until(lambda: service.status() == 503, "unhealthy")
        restart.result()
    until(lambda: service.status() == 200, "healthy again")
    with Queues.at(queues.url) as again:
        again.publish(order(1))
    assert service.settled("o1") == "reserved"


def test_a_link_that_falls_silent_during_the_work(queues: Queues, queue_type: str, tmp_path: Path) -> None:
    """The outcome's confirm never comes: it says that it is unhealthy, and finishes over the next link."""
    with (
        Wire(queues.url) as wire,
        Service(INVENTORY, tmp_path, AMQP_URL=wire.url, QUEUE_TYPE=queue_type) as service,
    ):
        service.start()
        wire.silent_after(b"burger")
        queues.publish(order(1))
        until(lambda: queues.depth(RESERVED) == 1, "the outcome on the broker")
        began = time.monotonic()
        until(lambda: service.status() == 503, "unhealthy")
        assert time.monotonic() - began < 10
        wire.cut()
        wire.silent.clear()
        until(lambda: service.status() == 200, "healthy again")
        until(lambda: queues.depth(topology.ORDERS) == 0, "empty queue")
        first, second = queues.take(RESERVED), queues.take(RESERVED)
        assert (first[0].message_id, first[1]) == (second[0].message_id, second[1])
        assert service.stock("burger") == 99


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
