"""What an idempotency key stands for."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from campus_food.messages import OrderRequest, parse_order
from campus_food.orders import Orders
from campus_food.schema import open_engine

ASKED = OrderRequest("u1", {"burger": 1, "fries": 2})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Orders]:
    """Open a database of its own for the test."""
    store = Orders(open_engine(f"sqlite:///{tmp_path}/order.db", Orders.TABLES))
    yield store
    store.close()


def test_a_key_keeps_its_message(store: Orders) -> None:
    """Ids and bytes, the time in them included, are those of the first request."""
    first = store.accept(ASKED, "k1")
    assert store.accept(ASKED, "k1") == first
    assert store.order(first.event.order_id) == first
    assert (first.asked, first.confirmed) == (ASKED, False)
    order = parse_order(first.event.body.encode(), first.event.message_id)
    assert (order.order_id, order.user_id, order.items) == (first.event.order_id, "u1", ASKED.items)
    assert json.loads(first.event.body)["timestamp"]


def test_another_key_is_another_order(store: Orders) -> None:
    """Equal orders are two where their keys are."""
    first, second = store.accept(ASKED, "k1").event, store.accept(ASKED, "k2").event
    assert first.order_id != second.order_id
    assert first.message_id != second.message_id


def test_a_key_that_is_used_again_tells_what_for(store: Orders) -> None:
    """The first order stays; whoever asks for another one can see that it is not theirs."""
    store.accept(ASKED, "k1")
    assert store.accept(OrderRequest("u1", {"burger": 2}), "k1").asked == ASKED


def test_a_confirm_is_remembered_for_its_message(store: Orders) -> None:
    """And for no other."""
    store.mark_confirmed(store.accept(ASKED, "k1").event)
    assert [store.accept(ASKED, key).confirmed for key in ("k1", "k2")] == [True, False]


def test_requests_at_the_same_time_share_one_message(store: Orders) -> None:
    """Of many threads with one key all get the same message."""
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: store.accept(ASKED, "k1").event, range(4)))
    assert found == [found[0]] * 4


def test_an_unknown_order(store: Orders) -> None:
    """It is told as none."""
    assert store.order("o1") is None
