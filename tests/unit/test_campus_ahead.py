"""Orders that are decided together: what becomes of them is what becomes of them one by one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from campus_food import ahead
from campus_food.ahead import AheadStore
from campus_food.messages import OrderPlaced
from campus_food.schema import INBOX, open_engine
from campus_food.store import Store

STOCK = {"burger": 3, "fries": 5}
S = TypeVar("S", bound=Store)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """Open a database of its own for the test."""
    engine = open_engine(f"sqlite:///{tmp_path}/inventory.db", Store.TABLES)
    yield engine
    engine.dispose()


def filled(kind: type[S], engine: sa.Engine) -> S:
    """Return a store with nothing but its opening stock."""
    with engine.begin() as tx:
        for table in Store.TABLES:
            tx.execute(sa.delete(table))
    store = kind(engine)
    store.fill(STOCK)
    return store


def order(message: int, number: int, **items: int) -> OrderPlaced:
    """Make an order, with a message id of its own."""
    return OrderPlaced(f"m{message}", f"o{number}", "u1", items or {"burger": 1})


def told(store: Store, orders: list[OrderPlaced]) -> list[object]:
    """Handle orders one by one; return what was new, what each is told, and what is left."""
    found: list[object] = []
    for each in orders:
        found.append(store.reserve(each))
        for event in store.unpublished(each.order_id):
            body = json.loads(event.body)
            found.append((event.kind, event.order_id, body["items"], body.get("reason")))
            store.mark_published([event.message_id])
    store.write_down()
    return [*found, store.stock(), store.reservations_of("u1"), store.unpublished()]


ORDERS = st.builds(
    lambda number, copy, item, quantity: order(10 * number + copy, number, **{item: quantity}),
    st.integers(1, 5),
    st.integers(0, 1),  # the same order may come under two message ids, never two orders under one
    st.sampled_from(["burger", "fries", "caviar"]),
    st.integers(1, 3),
)


@given(orders=st.lists(ORDERS, min_size=1, max_size=8), at=st.integers(0, 8))
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
def test_the_same_becomes_of_orders_that_are_decided_together(
    engine: sa.Engine, orders: list[OrderPlaced], at: int
) -> None:
    """Duplicates among them, under the same or another id, what is refused, and what was handled before."""
    one_by_one = told(filled(Store, engine), orders)
    store = filled(AheadStore, engine)
    before = told(store, orders[:at])[:-3]
    store.reserve_ahead(orders[at:])
    assert before + told(store, orders[at:]) == one_by_one


def test_what_is_decided_ahead_is_on_disk_and_told_once(engine: sa.Engine) -> None:
    """A crash before it was handled leaves it in the outbox; when it comes again, it is a duplicate."""
    filled(AheadStore, engine).reserve_ahead([order(1, 1), order(2, 2)])
    restarted = AheadStore(engine)
    assert [event.order_id for event in restarted.unpublished()] == ["o1", "o2"]
    assert not restarted.reserve(order(1, 1))
    assert restarted.stock()["burger"] == STOCK["burger"] - 2


def test_of_a_lost_link_nothing_is_kept(engine: sa.Engine) -> None:
    """What was fetched with it comes again, and had its effect."""
    store = filled(AheadStore, engine)
    store.reserve_ahead([order(1, 1), order(2, 2)])
    store.forget_ahead()
    assert not store.reserve(order(1, 1))


def test_a_copy_that_another_instance_decides_meanwhile_changes_nothing(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of it nor of the others: each is tried by itself then."""
    store = filled(AheadStore, engine)
    with engine.begin() as tx:
        tx.execute(sa.insert(INBOX), {"message_id": "m2", "order_id": "o2"})
    monkeypatch.setattr(ahead, "_fresh", lambda _tx, orders: orders)  # it was not there when we looked
    with pytest.raises(IntegrityError):
        store.reserve_ahead([order(1, 1), order(2, 2)])
    assert store.stock() == STOCK
    assert [store.reserve(each) for each in (order(1, 1), order(2, 2))] == [True, False]
