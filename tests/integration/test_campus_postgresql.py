"""The reference services on a real PostgreSQL: the same code, by URL."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from campus import Queues, Service, order, until
from rest_chain import started

from atleastonce.brokers import Broker
from atleastonce.commands.postgresql import PostgreSQL
from campus_food.database import TRANSIENT, Database
from campus_food.kafka import events
from campus_food.kafka.decisions import Decisions, Placed
from campus_food.kafka.facts import Facts, Ledger, Stale
from campus_food.kafka.metrics import Metrics
from campus_food.messages import RESERVED, OrderPlaced, OrderRequest, Outcome
from campus_food.notifications import Notifications
from campus_food.orders import Orders
from campus_food.rabbitmq import topology
from campus_food.rest.reservations import Reservations
from campus_food.settings import Settings
from campus_food.store import Store

STOCK = {"burger": 20, "fries": 20}


@pytest.fixture
def url(postgresql: PostgreSQL) -> str:
    """Make a database for the test."""
    return postgresql.database("campus")


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[type[Database]], Any]]:
    """Open the database as a service does, and close it at the end."""
    with ExitStack() as stack:

        def open_as(kind: type[Database]) -> Database:
            database = kind.open(Settings(url, "127.0.0.1", 8001, STOCK))
            stack.callback(database.close)
            return database

        yield open_as


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Hold a lock on a table."""
    engine = sa.create_engine(url)
    with engine.begin() as tx:
        tx.exec_driver_sql(f"LOCK TABLE {table}")
        yield
    engine.dispose()


def test_an_order_changes_everything_once(opened: Callable[..., Store]) -> None:
    """Inbox, stock, reservation and outbox follow from it together; a duplicate changes nothing."""
    store = opened(Store)
    placed = OrderPlaced("m1", "o1", "u1", {"burger": 2})
    assert [store.reserve(placed), store.reserve(placed)] == [True, False]
    assert not opened(Store).reserve(OrderPlaced("m2", "o1", "u1", {"burger": 2}))
    assert store.stock() == {"burger": 18, "fries": 20}
    assert [event.order_id for event in store.unpublished()] == ["o1"]
    assert [store.handled(f"m{n}", f"o{n}") for n in (1, 2)] == [True, False]


def test_two_consumers_take_no_piece_twice(opened: Callable[..., Store]) -> None:
    """Instances that reserve at once, each order at two of them, in opposite orders of items, agree."""
    stores = [opened(Store) for _ in range(4)]
    items = [{"burger": 1, "fries": 1}, {"fries": 1, "burger": 1}]
    orders = [OrderPlaced(f"m{n}", f"o{n}", "u1", items[n % 2]) for n in range(30)]
    jobs = [(stores[(n + copy) % 4], placed) for n, placed in enumerate(orders) for copy in range(2)]
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda job: job[0].reserve(job[1]), jobs))
    assert sum(done) == 30
    assert stores[0].stock() == {"burger": 0, "fries": 0}
    decided = [each.status for each in stores[0].reservations_of("u1")]
    assert (decided.count("reserved"), decided.count("failed")) == (20, 10)


def test_attempts_at_the_same_time_are_all_counted(opened: Callable[..., Store]) -> None:
    """Each is on disk before its work begins."""
    stores = [opened(Store) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(lambda store: store.begin("m1"), stores)) == [2, 3, 4, 5]


def test_opening_together_fills_the_stock_once(opened: Callable[..., Store]) -> None:
    """Several instances may start on one new database at the same moment."""
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(opened, [Store] * 4))
    assert [store.stock() for store in stores] == [STOCK] * 4


def test_confirmations_and_keys(opened: Callable[..., Any]) -> None:
    """The other services' promises hold on the same server, in the same database."""
    opened(Store)
    told = Outcome("x1", RESERVED, "o1", "u1", {"burger": 1}, "")
    notifications, orders = opened(Notifications), opened(Orders)
    assert [notifications.send(told), notifications.send(told)] == [True, False]
    assert len(notifications.of_order("o1")) == 1
    with ThreadPoolExecutor(4) as threads:
        asked = OrderRequest("u1", {"burger": 1})
        found = list(threads.map(lambda _: orders.accept(asked, "k1").event, range(4)))
    assert found == [found[0]] * 4
    orders.mark_confirmed(found[0])
    assert orders.accept(asked, "k1").confirmed


def test_a_lock_is_transient(opened: Callable[..., Store], url: str) -> None:
    """It is not waited for without end, and nothing is changed meanwhile."""
    store = opened(Store)
    placed = OrderPlaced("m1", "o1", "u1", {"burger": 1})
    with locked(url, "inbox"), pytest.raises(TRANSIENT, match="lock timeout"):
        store.reserve(placed)
    assert store.reserve(placed)


def test_a_restart_of_the_server_is_transient(opened: Callable[..., Store], postgresql: PostgreSQL) -> None:
    """Old connections fail once, in a way that says "later", and new ones are made."""
    store = opened(Store)
    postgresql.stop()
    with pytest.raises(TRANSIENT):
        store.reserve(OrderPlaced("m1", "o1", "u1", {"burger": 1}))
    postgresql.start()
    with suppress(*TRANSIENT):
        store.reserve(OrderPlaced("m1", "o1", "u1", {"burger": 1}))
    store.reserve(OrderPlaced("m1", "o1", "u1", {"burger": 1}))
    assert store.stock() == {"burger": 19, "fries": 20}


def test_a_chain_of_two_inventories(
    rabbitmq: Broker, url: str, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """Two instances share the work and the database; a crash of the server is waited for."""
    folders = [tmp_path / "one", tmp_path / "two"]
    with Queues.fresh(rabbitmq) as queues, ExitStack() as stack:
        for folder in folders:
            folder.mkdir()
        env = {"AMQP_URL": queues.url, "DATABASE_URL": url, "PREFETCH": "1"}
        first, second = (
            stack.enter_context(Service("campus_food.rabbitmq.inventory", folder, **env))
            for folder in folders
        )
        first.start()
        second.start()
        for number in range(40):
            queues.publish(order(number))
            queues.publish(order(number))
            if number == 20:
                postgresql.stop(signal.SIGQUIT)  # at once, as in a crash
                postgresql.start()
        assert {first.settled(f"o{number}") for number in range(40)} == {"reserved"}
        until(lambda: queues.depth(topology.ORDERS) == 0, "empty queue")
        assert first.stock("burger") == second.stock("burger") == 60
        assert [first.stop(), second.stop()] == [0, 0]
        assert queues.depth(topology.INVENTORY_DEAD) == 0


def test_a_release_and_its_reservation_at_once(opened: Callable[..., Any]) -> None:
    """Whichever is first, in the end nothing is held, and every piece is there."""
    stores = [opened(Reservations) for _ in range(2)]
    orders = [OrderPlaced(f"m{n}", f"o{n}", "u1", {"burger": 1, "fries": 1}) for n in range(20)]
    with ThreadPoolExecutor(8) as threads:
        taking = [threads.submit(stores[0].take, each, counted=False) for each in orders]
        releasing = [threads.submit(stores[1].release, each) for each in orders]
        assert {each.result().status for each in taking} <= {"reserved", "released"}
        assert {each.result().status for each in releasing} == {"released"}
    assert stores[0].stock() == STOCK
    assert [stores[0].seen(each.message_id) for each in orders] == [1] * 20


def test_the_synchronous_chain_in_one_database(url: str, tmp_path: Path) -> None:
    """Three services, one key, one order each; a failed one is released."""
    with started(tmp_path, DATABASE_URL=url, OPENING_STOCK="burger=20") as services:
        asked = {"user_id": "u1", "items": {"burger": 1}}
        with ThreadPoolExecutor(4) as threads:
            posts = [threads.submit(services.order.post, asked, f"k{n % 5}") for n in range(20)]
            assert {post.result()[0] for post in posts} == {200}
        assert services.order.post(asked, "k9", "/order?fail_times=2&notification_fail=500")[0] == 502
        assert services.attempts("k9") == (3, 1)
        until(lambda: "released" in services.status("u1"), "released")
        assert (services.inventory.stock("burger"), services.told("u1")) == (15, 5)


def test_instances_on_kafka_decide_every_order_once(opened: Callable[..., Decisions]) -> None:
    """Batches that overlap, at four instances at once, copies at other places: each order takes its piece once."""
    stores = [opened(Decisions) for _ in range(4)]
    made = events.OrderPlaced("o1", "u1", {"burger": 1}, datetime(2026, 2, 17, 14, 33, tzinfo=UTC))
    orders = [msgspec.structs.replace(made, order_id=f"o{number}") for number in range(30)]
    batches = [
        [Placed(each, events.encode(each), store, offset) for offset, each in enumerate(orders)]
        for store in range(4)
    ]
    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(lambda n: stores[n].decide(batches[n], {n: 0}), range(4)))
    decided = [each for one in told for each in one]
    assert sorted(each.placed.order.order_id for each in decided) == sorted(each.order_id for each in orders)
    assert [each.reason for each in decided].count("") == 20
    assert stores[0].stock() == {"burger": 0, "fries": 20}
    place = decided[0].place
    assert [each.placed for each in stores[1].decide([decided[0].placed], {})] == [decided[0].placed]
    stores[2].remember({place[0]: place[1] + 1})
    assert stores[1].decide([decided[0].placed], {}) == []


def test_two_analytics_share_their_facts(opened: Callable[..., Facts]) -> None:
    """The second writer is stale, looks again, and agrees."""
    store = opened(Facts)
    one, two = Ledger(store, Metrics()), Ledger(opened(Facts), Metrics())
    one.refresh()
    two.refresh()
    one.take([("o1", 5), ("o1", None)], {("orders", 0): 2}, print)
    with pytest.raises(Stale):
        two.take([("o2", 6)], {("orders", 1): 1}, print)
    two.refresh()
    two.take([("o2", 6)], {("orders", 1): 1}, print)
    assert one.snapshot() == two.snapshot()
    assert (one.metrics.total, one.positions) == (2, {("orders", 0): 2, ("orders", 1): 1})
