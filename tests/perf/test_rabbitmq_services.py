"""The services on RabbitMQ, as the processes that they are, against what a broker allows one client to do."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from campus import Queues, Service, order
from comparing import at_least

from campus_food.rabbitmq import topology

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

BARE = Path(__file__).parent / "bare_amqp.py"
RESERVED = "notification_inventory_reserved"
REQUESTS = 300
ORDERS = 20_000
ROUNDS = 3
STOCK = 1_000_000
GLANCE = 0.01
WITHIN = 120.0


def posted(service: Service) -> float:
    """Return how many requests a second are answered, each placed when the one before is."""
    body = {"user_id": "u1", "items": {"burger": 1}}
    began = time.perf_counter()
    assert {service.post(body)[0] for _ in range(REQUESTS)} == {200}
    return REQUESTS / (time.perf_counter() - began)


def published(queues: Queues) -> float:
    """Return how many such messages a second one channel publishes, each confirmed before the next."""
    began = time.perf_counter()
    for number in range(REQUESTS):
        queues.publish(order(number))
    return REQUESTS / (time.perf_counter() - began)


def test_orders_against_bare_publishes(rabbitmq, compared, tmp_path):
    """HTTP, a row under its key, and a confirmed publish, against the latter alone; to the same quorum queue."""
    with (
        Queues.fresh(rabbitmq) as queues,
        Service("campus_food.rabbitmq.order", tmp_path, AMQP_URL=queues.url) as service,
    ):
        service.start()
        posted(service), published(queues)
        pairs = [(posted(service), published(queues)) for _ in range(2 * ROUNDS)]
    compared.pairs("POST /order, one by one", "orders/s", "bare confirmed publish", pairs)


def filled(queues: Queues) -> None:
    """Put the orders into the queue, and wait until all are there; outcomes of earlier ones go."""
    topology.declare(queues.channel, topology.QUEUE_TYPES[0])
    queues.channel.queue_purge(RESERVED)
    channel = queues.channel.connection.channel()  # without confirms
    for number in range(ORDERS):
        message = order(number)
        properties = pika.BasicProperties(delivery_mode=2, message_id=message["message_id"])
        channel.basic_publish("", topology.ORDERS, json.dumps(message).encode(), properties)
    reached(queues, topology.ORDERS)
    channel.close()


def reached(queues: Queues, queue: str, already: int = ORDERS) -> tuple[float, int]:
    """Wait until at least so many messages are in a queue; return when, and how many."""
    deadline = time.perf_counter() + WITHIN
    while (depth := queues.depth(queue)) < already:
        assert time.perf_counter() < deadline, f"{depth} in {queue}"
        time.sleep(GLANCE)
    return time.perf_counter(), depth


def drained(queues: Queues) -> float:
    """Return how many outcomes a second were written: from the first look that saw some to the last of them."""
    (began, had), (ended, has) = reached(queues, RESERVED, 1), reached(queues, RESERVED)
    return (has - had) / (ended - began)


@contextmanager
def inventory(queues: Queues, folder: Path) -> Iterator[None]:
    """Run the service; behind it each order has had its effect once, and every order was acknowledged."""
    folder.mkdir()
    with Service(
        "campus_food.rabbitmq.inventory", folder, AMQP_URL=queues.url, OPENING_STOCK=f"burger={STOCK}"
    ) as service:
        service.launch()
        yield
        service.answers()
        assert service.stock("burger") == STOCK - ORDERS
        assert service.stop() == 0
    assert queues.depth(topology.ORDERS) == 0
    told = [json.loads(body)["order_id"] for _, _, body in taken(queues)]
    assert sorted(told) == sorted(order(number)["order_id"] for number in range(ORDERS))


def taken(queues: Queues) -> Iterator[tuple[Any, Any, bytes]]:
    """Take the outcomes out of their queue."""
    channel = queues.channel.connection.channel()
    channel.basic_qos(prefetch_count=1000)
    for count, got in enumerate(channel.consume(RESERVED), start=1):
        channel.basic_ack(got[0].delivery_tag)
        yield got
        if count == ORDERS:
            break
    channel.close()


@contextmanager
def bare(queues: Queues, _: Path) -> Iterator[None]:
    """Run the loop."""
    command = [sys.executable, str(BARE), "pass_on", queues.url, topology.ORDERS, RESERVED]
    with subprocess.Popen(command) as process:
        yield
        process.kill()


def test_inventory_against_a_bare_loop(rabbitmq, compared, tmp_path):
    """Twenty thousand orders that wait: a reservation, stock and an outcome for each, on disk, against none."""

    def run(draining: Callable[[Queues, Path], AbstractContextManager[None]], name: str) -> float:
        filled(queues)
        with draining(queues, tmp_path / name):
            return drained(queues)

    with Queues.fresh(rabbitmq) as queues:
        pairs = [(run(inventory, f"run-{number}"), run(bare, "")) for number in range(ROUNDS)]
    compared.pairs("inventory drain", "orders/s", "consume, confirm, ack", pairs, at_least(0.8))
