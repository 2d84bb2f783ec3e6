"""The orders that a seed makes."""

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from campus_food.kafka import producer
from campus_food.kafka.clients import cluster_from
from campus_food.kafka.events import encode
from campus_food.kafka.lag import furthest, lag
from campus_food.kafka.producer import ITEMS, SOLD_OUT, Plan, placed
from campus_food.settings import SettingError

DIGEST = "d9aff6878bda5554b60cfd33ad834af5aae41ae5c0cefa7fab95dc273d430bec"
PLAN = Plan(orders=10_000)


def test_the_same_seed_makes_the_same_bytes() -> None:
    """On every machine and every Python: the digest is written down here."""
    made = b"\n".join(encode(order) for order in placed(Plan(orders=100)))
    assert hashlib.sha256(made).hexdigest() == DIGEST
    assert made != b"\n".join(encode(order) for order in placed(Plan(orders=100, seed=8)))


def test_the_orders_are_as_described() -> None:
    """One to five items, one or two of each, every twentieth or so with one that is sold out."""
    orders = list(placed(PLAN))
    assert (orders[0].order_id, orders[-1].order_id) == ("order_000000", "order_009999")
    assert Counter(len(order.items) for order in orders).keys() == set(range(1, 6))
    assert {name for order in orders for name in order.items} == {*ITEMS, SOLD_OUT}
    assert {quantity for order in orders for quantity in order.items.values()} == {1, 2}
    assert 0.04 < sum(SOLD_OUT in order.items for order in orders) / PLAN.orders < 0.06


def test_event_time_is_in_the_plan() -> None:
    """A minute holds about as many as planned; some orders are late, none is before the start."""
    times = [order.timestamp for order in placed(PLAN)]
    assert times[0] == min(times) == PLAN.start
    assert max(times) < PLAN.start + timedelta(minutes=10)
    assert 50 < sum(later < earlier for earlier, later in pairwise(times)) < 200


def test_a_plan_that_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is published."""
    with pytest.raises(SystemExit) as ended:
        producer.main(["10", "--start", "2026-02-17T14:33:00"])
    assert ended.value.code == 2
    assert "a start with an offset" in capsys.readouterr().err


def test_without_a_broker_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one variable that has no default."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    assert producer.main(["1"]) == 2
    assert capsys.readouterr().err == "Cannot start: KAFKA_BOOTSTRAP: not set; it has no default\n"


def test_settings_have_defaults_and_limits() -> None:
    """The transactional id is that of the instance; nonsense is named."""
    given = {"KAFKA_BOOTSTRAP": "127.0.0.1:9092", "PORT": "8001"}
    cluster = cluster_from(given, "inventory")
    assert (cluster.orders, cluster.events, cluster.group) == ("orders", "inventory-events", "inventory")
    assert (cluster.transactional_id, cluster.throttle) == ("inventory-8001", None)
    assert replace(cluster, throttle=50) == cluster_from(given | {"THROTTLE": "50"}, "inventory")
    with pytest.raises(SettingError, match="THROTTLE: expected a whole number from 1"):
        cluster_from(given | {"THROTTLE": "fast"}, "inventory")


def test_lag_is_what_lies_between() -> None:
    """By partition, and as a sum; what nobody read yet is all behind."""
    reached = furthest({("orders", 0): 3, ("orders", 1): 9}, {("orders", 0): 5})
    found = lag({("orders", 0): 5, ("orders", 1): 12, ("orders", 2): 4}, reached)
    assert [(row["position"], row["end"], row["lag"]) for row in found["partitions"]] == [
        (5, 5, 0),
        (9, 12, 3),
        (0, 4, 4),
    ]
    assert found["lag"] == 7
