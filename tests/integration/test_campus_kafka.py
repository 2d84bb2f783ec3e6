"""The reference inventory on a real Kafka, without relay or runner."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from campus import Service, until
from streams import INVENTORY, Log, order

from atleastonce.brokers import Broker
from campus_food.kafka.decisions import Decisions, Placed
from campus_food.kafka.events import read_order
from campus_food.kafka.inventory import INVENTORY as KIND
from campus_food.settings import common


@pytest.fixture
def log(kafka: Broker) -> Log:
    """Make topics of the test's own, with one partition: orders are handled in the order of publication."""
    log = Log(kafka.url)
    log.create()
    return log


@pytest.fixture
def service(log: Log, tmp_path: Path) -> Iterator[Service]:
    """Prepare the inventory: the test starts it."""
    with log.inventory(tmp_path) as service:
        yield service


def taken(service: Service, item: str = "item_0") -> int:
    """Return how many pieces are gone."""
    return KIND.opening_stock[item] - service.stock(item)


def test_an_order_is_told_item_by_item(service: Service, log: Log) -> None:
    """Each item, then the outcome, keyed by order, with the order's own time; the log has the words."""
    service.start()
    log.publish(order(1, item_0=2, item_1=1))
    log.publish(order(2, item_0=1, item_sold_out=1))
    assert (service.settled("o1"), service.settled("o2")) == ("reserved", "failed")
    records = log.read("events", 4)
    told = [json.loads(record.value()) for record in records]
    assert [(each["type"], each.get("event")) for each in told] == [
        ("ItemReserved", "reserve 2 of item_0"),
        ("ItemReserved", "reserve 1 of item_1"),
        ("InventoryReserved", None),
        ("InventoryFailed", None),
    ]
    assert {each["timestamp"] for each in told} == {"2026-02-17T14:33:00Z"}
    assert [record.key() for record in records] == [b"o1", b"o1", b"o1", b"o2"]
    until(lambda: service.logged("Received order event: o2"), "the log")
    assert service.logged("Inventory event emitted: reserve 2 of item_0")
    assert taken(service) == 2


def test_a_duplicate_has_one_effect(service: Service, log: Log) -> None:
    """Two copies, in one batch or in two: one reservation, and one answer."""
    service.start()
    for number in (1, 1, 2):
        log.publish(order(number))
    service.settled("o2")
    log.publish(order(1))
    until(lambda: log.committed() == 4, "four records behind it")
    assert log.said(4) == ["o1/1", "o1/0", "o2/1", "o2/0"]
    assert taken(service) == 2
    assert service.logged("Order o1 already processed, skipping (idempotency)")
    assert service.stop() == 0


def test_poison_is_set_aside_whole(service: Service, log: Log) -> None:
    """Undecodable bytes, no order, and no value at all go to the dead letters; the orders behind take effect."""
    service.start()
    log.publish(b'{"order_id": "poison", "invalid": json}', trace="7")
    log.publish(order(0) | {"items": {}})
    log.publish(None)
    log.publish(order(1))
    assert service.settled("o1") == "reserved"
    first, second, third = log.read("dead", 3)
    assert first.value() == b'{"order_id": "poison", "invalid": json}'
    assert first.headers()[0] == ("trace", b"7")
    assert json.loads(second.value())["items"] == {}
    assert third.value() is None
    assert service.lines("Poison")[1]["reason"].startswith("value: Expected `object` of length >= 1")


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
    with Service(INVENTORY, tmp_path, **log.env("again")) as again:
        again.start()
        assert again.settled("o1") == "reserved"
        assert taken(again) == 1
        assert log.said(2) == ["o1/1", "o1/0"]


def test_lost_offsets_double_nothing(service: Service, log: Log, tmp_path: Path) -> None:
    """Without its offsets it begins with the oldest record, and knows what it told."""
    service.start()
    for number in range(5):
        log.publish(order(number))
    service.settled("o4")
    assert service.stop() == 0
    log.publish(order(5))
    with Service(INVENTORY, tmp_path, **log.env("again")) as again:
        again.start()
        again.settled("o5")
        assert taken(again) == 6
        assert log.said(12) == [f"o{number}/{part}" for number in range(6) for part in (1, 0)]


def test_a_crash_between_the_two_commits_tells_what_was_decided(service: Service, log: Log) -> None:
    """What is in the database and was never told is told when its record comes again; its copy is a duplicate."""
    settings = common({"DATABASE_URL": service.url}, "inventory", 1, KIND.opening_stock)
    store = Decisions.open(settings)
    body = json.dumps(order(1)).encode()
    assert store.decide([Placed(read_order(body), body, 0, 0)], {})
    store.close()
    for number in (1, 1, 2):
        log.publish(order(number))
    service.start()
    service.settled("o2")
    assert log.said(4) == ["o1/1", "o1/0", "o2/1", "o2/0"]
    assert taken(service) == 2


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
    assert log.said(4) == ["o1/1", "o1/0", "o2/1", "o2/0"]


@pytest.mark.restarts_broker
def test_a_dead_broker_is_noticed_and_found_again(kafka: Broker, service: Service, log: Log) -> None:
    """Health tells the truth all along, and nobody has to help."""
    service.start()
    kafka.kill()
    until(lambda: service.status() == 503, "unhealthy")
    kafka.restart()
    until(lambda: service.status() == 200, "healthy again")
    log.publish(order(1))
    assert service.settled("o1") == "reserved"
    assert log.said(2) == ["o1/1", "o1/0"]


def test_no_broker_is_no_health(tmp_path: Path) -> None:
    """Without a broker it runs, answers, and says that it cannot work."""
    with Service(INVENTORY, tmp_path, KAFKA_BOOTSTRAP="127.0.0.1:1") as service:
        service.start(status=503)
        assert service.stop() == 0
