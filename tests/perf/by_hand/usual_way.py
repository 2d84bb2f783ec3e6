"""Checks as they are usually written: a broker in a container for each test, and sleeps between two looks.

Run by the benchmark beside it: `pytest tests/perf/by_hand/usual_way.py`.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from inventory import DEAD, ORDERS, STOCK, Broker, Inventory, wait_until
from testcontainers.rabbitmq import RabbitMqContainer

PAUSE = 0.5
SETTLE = 1.0
"""Seconds after which nothing more is expected to happen."""
IMAGE = os.environ.get("ATLEASTONCE_RABBITMQ_IMAGE") or "rabbitmq:4-management"
BACKLOG = 50


@pytest.fixture
def amqp_url() -> Iterator[str]:
    """Start a broker."""
    container = RabbitMqContainer(IMAGE).with_kwargs(network="bridge")
    # on the loopback address alone: the pair is docker's own, which the annotation of Testcontainers lacks
    container.ports["5672"] = ("127.0.0.1", None)  # type: ignore[assignment]
    with container:
        yield f"amqp://guest:guest@127.0.0.1:{container.get_exposed_port(5672)}/%2F"


@pytest.fixture
def broker(amqp_url: str, inventory: Inventory) -> Iterator[Broker]:  # noqa: ARG001 - the service declares the queues
    """Connect to it."""
    with Broker(amqp_url) as broker:
        yield broker


@pytest.fixture
def inventory(amqp_url: str, tmp_path: Path) -> Iterator[Inventory]:
    """Start the service."""
    with Inventory(amqp_url, tmp_path, PAUSE) as inventory:
        yield inventory


def test_a_duplicate_changes_nothing(inventory: Inventory, broker: Broker) -> None:
    """Two copies of an order take one burger, and have one outcome."""
    broker.order(1)
    broker.order(1)
    wait_until(lambda: inventory.decided(1) and not broker.depth(ORDERS), PAUSE)
    time.sleep(SETTLE)
    assert inventory.stock() == STOCK - 1
    assert broker.reserved() == ["o1"]


def test_a_kill_loses_nothing(inventory: Inventory, broker: Broker) -> None:
    """Killed in the midst of a backlog, it goes on behind its restart, and each order has one effect."""
    for number in range(BACKLOG):
        broker.order(number)
    wait_until(lambda: inventory.decided(0), PAUSE)
    inventory.kill()
    inventory.start()
    wait_until(lambda: all(inventory.decided(number) for number in range(BACKLOG)), PAUSE)
    time.sleep(SETTLE)
    assert inventory.stock() == STOCK - BACKLOG
    assert broker.reserved() == sorted(f"o{number}" for number in range(BACKLOG))


def test_poison_is_set_aside(inventory: Inventory, broker: Broker) -> None:
    """What is no order goes to the dead letters, and the order behind it is handled."""
    broker.send(b'{"order_id": "poison", "invalid": json}', "poison")
    broker.order(1)
    wait_until(lambda: inventory.decided(1) and broker.depth(DEAD) == 1, PAUSE)
    time.sleep(SETTLE)
    assert inventory.stock() == STOCK - 1
    assert (broker.depth(DEAD), broker.depth(ORDERS)) == (1, 0)
