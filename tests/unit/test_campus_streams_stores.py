"""The databases of the services on Kafka."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_food.kafka.decisions import Decided, Decisions, Placed
from campus_food.kafka.events import OrderPlaced, encode
from campus_food.kafka.facts import Facts, Ledger, Stale
from campus_food.kafka.metrics import Metrics
from campus_food.settings import Settings

WHEN = datetime(2026, 2, 17, 14, 33, tzinfo=UTC)
PLACE = ("orders", 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Name a database, and a small stock."""
    return Settings(f"sqlite:///{tmp_path}/x.db", "127.0.0.1", 1, {"item_0": 3, "item_1": 0})


@pytest.fixture
def decisions(settings: Settings) -> Iterator[Decisions]:
    """Open a database of the inventory."""
    store = Decisions.open(settings)
    yield store
    store.close()


@pytest.fixture
def facts(settings: Settings) -> Iterator[Facts]:
    """Open a database of analytics."""
    store = Facts.open(settings)
    yield store
    store.close()


def order(number: int, offset: int, partition: int = 0, **items: int) -> Placed:
    """Place order o1, o2, … somewhere in the log."""
    placed = OrderPlaced(f"o{number}", "u1", items or {"item_0": 1}, WHEN)
    return Placed(placed, encode(placed), partition, offset)


def told(found: list[Decided]) -> list[tuple[str, str]]:
    """Return ids and reasons."""
    return [(each.placed.order.order_id, each.reason) for each in found]


def test_a_batch_is_decided_in_its_order(decisions: Decisions) -> None:
    """Stock that runs out in the middle of it is gone for the rest, and a refused order takes nothing."""
    batch = [
        order(1, 0, item_0=2),
        order(2, 1, item_0=2),
        order(3, 2),
        order(4, 3, item_1=1),
        order(5, 4, tea=1),
    ]
    assert told(decisions.decide(batch, {})) == [
        ("o1", ""),
        ("o2", "too little stock: item_0"),
        ("o3", ""),
        ("o4", "too little stock: item_1"),
        ("o5", "unknown item: tea"),
    ]
    assert decisions.stock() == {"item_0": 0, "item_1": 0}


def test_a_duplicate_is_told_nothing(decisions: Decisions) -> None:
    """In the same batch, in a later one, in another partition."""
    assert told(decisions.decide([order(1, 0), order(1, 1)], {})) == [("o1", "")]
    assert told(decisions.decide([order(1, 2), order(1, 7, partition=1), order(2, 3)], {})) == [("o2", "")]
    assert decisions.stock()["item_0"] == 1


def test_the_same_record_is_told_again_until_that_is_known(decisions: Decisions) -> None:
    """Its transaction may not have committed; behind the offset that was told, it has."""
    first = decisions.decide([order(1, 0), order(2, 1)], {})
    assert told(decisions.decide([order(1, 0), order(2, 1)], {})) == told(first)
    assert told(decisions.decide([order(1, 0), order(2, 1), order(3, 2)], {0: 1})) == [("o2", ""), ("o3", "")]
    decisions.remember({0: 3})
    decisions.remember({0: 2})
    assert decisions.decide([order(1, 0), order(2, 1), order(3, 2)], {}) == []
    assert decisions.stock()["item_0"] == 0


def test_what_is_told_again_is_the_same(decisions: Decisions) -> None:
    """Byte by byte, though the stock has changed since."""
    (first,) = decisions.decide([order(1, 0, item_0=2)], {})
    decisions.decide([order(2, 1)], {})
    (again,) = decisions.decide([order(1, 0, item_0=2)], {})
    assert [encode(each) for each in again.events] == [encode(each) for each in first.events]


def test_a_restart_keeps_stock_and_decisions(decisions: Decisions, settings: Settings) -> None:
    """The opening stock is counted out once."""
    decisions.decide([order(1, 0)], {})
    again = Decisions.open(settings)
    assert again.stock()["item_0"] == 2
    assert (kept := again.reservation("o1")) is not None
    assert kept.status == "reserved"
    assert again.reservation("o2") is None
    again.close()


def test_facts_and_positions_come_back(facts: Facts) -> None:
    """In another life, as the same metrics; what is told every thousand orders is not told again."""
    first, seen = Ledger(facts, Metrics()), list[int]()
    first.refresh()
    first.take(
        [(f"o{n}", n % 3) for n in range(1000)], {PLACE: 1000}, lambda report: seen.append(report.total)
    )
    first.take([("o1", None), ("o1", 1)], {PLACE: 1002}, lambda report: seen.append(report.total))
    second = Ledger(facts, Metrics())
    assert second.snapshot() == first.snapshot()
    assert second.positions == {PLACE: 1002}
    assert seen == [1000]


def test_of_two_writers_the_second_looks_again(facts: Facts) -> None:
    """It is stale, changes nothing, and then knows what the first one wrote."""
    one, two = Ledger(facts, Metrics()), Ledger(facts, Metrics())
    one.refresh()
    two.refresh()
    one.take([("o1", 5)], {PLACE: 1}, print)
    with pytest.raises(Stale):
        two.take([("o1", 5), ("o2", 5)], {PLACE: 2}, print)
    assert two.metrics.total == 0
    two.refresh()
    two.take([("o1", 5), ("o2", 5)], {PLACE: 2}, print)
    assert one.snapshot() == two.snapshot()
    assert one.metrics.total == 2


def test_a_position_without_facts_is_kept(facts: Facts) -> None:
    """Item events add nothing, but are behind us."""
    one = Ledger(facts, Metrics())
    one.refresh()
    one.take([], {("events", 3): 17}, print)
    assert facts.since(0)[1:] == ([], {("events", 3): 17})
