"""The same checks by somebody who minds the time: one broker for all, a virtual host for each test, and short pauses.

No sleep stands for "nothing more will happen": a last order, behind the others in the queue, shows that they are
done. Run by the benchmark beside it, with the broker's addresses in AMQP_URL and MANAGEMENT_URL.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from inventory import DEAD, ORDERS, STOCK, Broker, Inventory, wait_until

PAUSE = 0.05
BACKLOG = 50
LAST = 99
MANAGEMENT = urllib3.util.parse_url(os.environ["MANAGEMENT_URL"])


@pytest.fixture
def amqp_url() -> Iterator[str]:
    """Make a virtual host, and delete it afterwards: queues left behind would slow down the broker."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    headers = urllib3.make_headers(basic_auth=MANAGEMENT.auth)
    address = f"http://{MANAGEMENT.host}:{MANAGEMENT.port}/api/vhosts/{name}"
    assert urllib3.request("PUT", address, headers=headers).status < 300
    yield f"{os.environ['AMQP_URL']}/{name}"
    urllib3.request("DELETE", address, headers=headers)


@pytest.fixture
def inventory(amqp_url: str, tmp_path: Path) -> Iterator[Inventory]:
    """Start the service."""
    with Inventory(amqp_url, tmp_path, PAUSE) as inventory:
        yield inventory


@pytest.fixture
def broker(amqp_url: str, inventory: Inventory) -> Iterator[Broker]:  # noqa: ARG001 - the service declares the queues
    """Connect to the broker."""
    with Broker(amqp_url) as broker:
        yield broker


def settle(inventory: Inventory, broker: Broker) -> None:
    """Wait until everything before now is done."""
    broker.order(LAST)
    wait_until(lambda: inventory.decided(LAST) and not broker.depth(ORDERS), PAUSE)


def test_a_duplicate_changes_nothing(inventory: Inventory, broker: Broker) -> None:
    """Two copies of an order take one burger, and have one outcome."""
    broker.order(1)
    broker.order(1)
    settle(inventory, broker)
    assert inventory.stock() == STOCK - 2
    wait_until(lambda: broker.depth("notification_inventory_reserved") == 2, PAUSE)
    assert broker.reserved() == ["o1", f"o{LAST}"]


def test_a_kill_loses_nothing(inventory: Inventory, broker: Broker) -> None:
    """Killed in the midst of a backlog, it goes on behind its restart, and each order has one effect."""
    for number in range(BACKLOG):
        broker.order(number)
    wait_until(lambda: inventory.decided(0), PAUSE)
    inventory.kill()
    inventory.start()
    settle(inventory, broker)
    wait_until(lambda: all(inventory.decided(number) for number in range(BACKLOG)), PAUSE)
    assert inventory.stock() == STOCK - BACKLOG - 1
    assert set(broker.reserved()) == {f"o{number}" for number in (*range(BACKLOG), LAST)}


def test_poison_is_set_aside(inventory: Inventory, broker: Broker) -> None:
    """What is no order goes to the dead letters, and the order behind it is handled."""
    broker.send(b'{"order_id": "poison", "invalid": json}', "poison")
    settle(inventory, broker)
    wait_until(lambda: broker.depth(DEAD) == 1, PAUSE)
    assert inventory.stock() == STOCK - 1
