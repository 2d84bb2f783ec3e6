"""The one transaction of the inventory: everything that follows from an order, once."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from campus_food.green.upsert import Upserts
from campus_food.messages import OrderPlaced
from campus_food.schema import open_engine
from campus_food.settings import Settings
from campus_food.store import Reservation, Store

STOCK = {"burger": 2, "fries": 5}


def order(number: int, **items: int) -> OrderPlaced:
    """Make order o1, o2, … with message id m1, m2, …."""
    return OrderPlaced(f"m{number}", f"o{number}", "u1", items or {"burger": 1})


def settings(url: str) -> Settings:
    """Make the settings of a service with this database."""
    return Settings(url, "127.0.0.1", 8001, STOCK)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """Open a database of its own for the test."""
    engine = open_engine(f"sqlite:///{tmp_path}/inventory.db", Store.TABLES)
    Store(engine).fill(STOCK)
    yield engine
    engine.dispose()


@pytest.fixture
def reopened(engine: sa.Engine) -> Iterator[Callable[[], Store]]:
    """Open the database anew, as a restarted process does."""
    with ExitStack() as stack:

        def reopen() -> Store:
            store = Store.open(settings(engine.url.render_as_string()))
            stack.callback(store.close)
            return store

        yield reopen


def dump(engine: sa.Engine) -> dict[str, list[sa.Row[tuple[object, ...]]]]:
    """Read every table whole."""
    with engine.connect() as tx:
        return {table.name: list(tx.execute(sa.select(table))) for table in Store.TABLES}


def test_an_order_changes_everything_together(engine: sa.Engine) -> None:
    """Inbox, stock, reservation and outbox follow from one order."""
    store = Store(engine)
    assert store.reserve(order(1, burger=2, fries=1))
    assert store.stock() == {"burger": 0, "fries": 4}
    assert store.reservation("o1") == Reservation("o1", "u1", {"burger": 2, "fries": 1}, "reserved", "")
    (event,) = store.unpublished()
    assert event.kind == "InventoryReserved"
    assert json.loads(event.body)["message_id"] == event.message_id


def test_a_refused_order_takes_nothing(engine: sa.Engine) -> None:
    """All or nothing; the outcome is told and remembered like any other."""
    store = Store(engine)
    assert store.reserve(order(1, fries=1, burger=3))
    assert store.stock() == STOCK
    assert store.reservation("o1") == Reservation(
        "o1", "u1", {"burger": 3, "fries": 1}, "failed", "too little stock: burger"
    )
    assert [event.kind for event in store.unpublished()] == ["InventoryFailed"]


def test_a_duplicate_changes_nothing(engine: sa.Engine, reopened: Callable[[], Store]) -> None:
    """Not one row of the database differs, whether the first was granted or refused."""
    store = Store(engine)
    for first in (order(1), order(2, caviar=1)):
        assert store.reserve(first)
        before = dump(engine)
        assert not store.reserve(first)
        assert not reopened().reserve(first)
        assert dump(engine) == before


def test_an_order_under_another_message_id_is_the_same_order(engine: sa.Engine) -> None:
    """A publisher that makes a new message id for each attempt takes no stock twice."""
    store = Store(engine)
    assert store.reserve(OrderPlaced("m1", "o1", "u1", {"burger": 1}))
    assert not store.reserve(OrderPlaced("m2", "o1", "u1", {"burger": 1}))
    assert store.stock()["burger"] == 1


def test_equal_orders_with_ids_of_their_own_are_two(engine: sa.Engine) -> None:
    """Nobody is refused for ordering what somebody else ordered."""
    store = Store(engine)
    assert store.reserve(order(1))
    assert store.reserve(order(2))
    assert store.stock()["burger"] == 0


def test_the_outcome_keeps_its_id_until_it_is_published(
    engine: sa.Engine, reopened: Callable[[], Store]
) -> None:
    """A crash between commit and publication keeps the row, with the same id and the same bytes."""
    store = Store(engine)
    store.reserve(order(1))
    store.reserve(order(2))
    first, second = store.unpublished()
    assert reopened().unpublished() == [first, second]
    store.mark_published([first.message_id])
    assert store.unpublished() == store.unpublished("o2") == [second]
    assert reopened().unpublished() == [first, second]
    store.write_down()
    assert reopened().unpublished() == [second]


def test_what_was_published_is_written_down_with_the_next_order(
    engine: sa.Engine, reopened: Callable[[], Store]
) -> None:
    """One transaction does both; a duplicate, which changes nothing, leaves it for later."""
    store = Store(engine)
    store.reserve(order(1))
    store.mark_published(event.message_id for event in store.unpublished("o1"))
    store.reserve(order(1))
    assert [event.order_id for event in reopened().unpublished()] == ["o1"]
    store.reserve(order(2))
    assert [event.order_id for event in reopened().unpublished()] == ["o2"]


def test_a_crash_inside_the_transaction_leaves_no_trace(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inbox row does not stay behind alone: the order would be skipped for ever."""
    store = Store(engine)
    before = dump(engine)
    monkeypatch.setattr("campus_food.store.outcome", crash)
    with pytest.raises(ZeroDivisionError):
        store.reserve(order(1))
    assert dump(engine) == before
    monkeypatch.undo()
    assert store.reserve(order(1))


def crash(*_: object) -> None:
    """Fail in a way that nobody expects."""
    raise ZeroDivisionError


def test_copies_at_the_same_time_are_one(engine: sa.Engine, reopened: Callable[[], Store]) -> None:
    """Of many threads with the same order exactly one carries it out."""
    stores = [reopened() for _ in range(4)]
    with ThreadPoolExecutor(len(stores)) as threads:
        done = list(threads.map(lambda store: store.reserve(order(1)), stores))
    assert sorted(done) == [False, False, False, True]
    assert Store(engine).stock()["burger"] == 1


def test_opening_together_fills_the_stock_once(tmp_path: Path) -> None:
    """Several instances may start on one new database at the same moment."""
    url = f"sqlite:///{tmp_path}/new.db"
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: Store.open(settings(url)), range(4)))
    assert [store.stock() for store in stores] == [STOCK] * 4
    for store in stores:
        store.close()


def test_a_restart_keeps_the_stock(engine: sa.Engine, reopened: Callable[[], Store]) -> None:
    """The opening stock counts for a new database only."""
    Store(engine).reserve(order(1))
    assert reopened().stock() == {"burger": 1, "fries": 5}


def test_the_database_survives_a_loss_of_power(engine: sa.Engine) -> None:
    """Each commit reaches the disk before it returns, and readers do not wait for the writer."""
    with engine.connect() as tx:
        assert tx.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert tx.exec_driver_sql("PRAGMA busy_timeout").scalar() == 2000


def test_a_locked_database_is_transient(engine: sa.Engine, tmp_path: Path) -> None:
    """Somebody else's lock ends in an error that says "later", with nothing changed."""
    store = Store(engine)
    with engine.connect() as tx:
        tx.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "inventory.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sa.exc.OperationalError, match="locked"):
        store.reserve(order(1))
    other.execute("ROLLBACK")
    other.close()
    assert store.reserve(order(1))


def test_attempts_are_counted_by_message(engine: sa.Engine, reopened: Callable[[], Store]) -> None:
    """The first has no row; what is counted is on disk before the work begins, and nobody else's."""
    assert [Store(engine).begin("m1"), reopened().begin("m1"), reopened().begin("m2")] == [2, 3, 2]


def test_attempts_at_the_same_time_are_all_counted(reopened: Callable[[], Store]) -> None:
    """Several instances may meet copies of one message."""
    stores = [reopened() for _ in range(4)]
    with ThreadPoolExecutor(len(stores)) as threads:
        assert sorted(threads.map(lambda store: store.begin("m1"), stores)) == [2, 3, 4, 5]


def test_what_was_handled_is_known(engine: sa.Engine) -> None:
    """A message whose effect is there is no poison, however often it was begun; nor is its order under another id."""
    for store in (Store(engine), Upserts(engine)):
        store.reserve(order(1))
        assert store.handled("m1", "o1")
        assert store.handled("m2", "o1")
        assert not store.handled("m2", "o2")


def test_the_reservations_of_a_user(engine: sa.Engine) -> None:
    """In the order in which they were decided, the refused ones too."""
    store = Store(engine)
    store.reserve(order(1))
    store.reserve(order(2, caviar=1))
    assert [each.status for each in store.reservations_of("u1")] == ["reserved", "failed"]
    assert store.reservations_of("u2") == []
