"""Orders, inventory and analytics on a real Kafka: the log may stutter and processes die, the figures stay."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from campus import HTTP, Service, until
from confluent_kafka import Consumer
from streams import Log, order

from atleastonce.brokers import Broker
from campus_food.kafka.inventory import INVENTORY
from campus_food.kafka.producer import SOLD_OUT, Plan, placed

# Short enough to see a killed member go, long enough for a machine that is shared.
SESSION = {"SESSION_TIMEOUT": "3000"}


@pytest.fixture
def log(kafka: Broker) -> Log:
    """Make topics of the test's own, with four partitions each."""
    log = Log(kafka.url, partitions=4)
    log.create()
    return log


def healthy(service: Service) -> bool:
    """Tell whether it says so."""
    return service.status() == 200


@contextmanager
def started(*services: Service) -> Iterator[None]:
    """Start services, and end them with the block."""
    try:
        for service in services:
            service.launch()
        for service in services:
            until(partial(healthy, service), "health")
        yield
    finally:
        for service in services:
            service.__exit__()


def posted(service: Service, path: str) -> Any:
    """Ask for something to be done, and return what comes of it."""
    answer = HTTP.request("POST", f"http://127.0.0.1:{service.port}{path}", timeout=60)
    assert answer.status == 200, answer.data
    return answer.json() if path == "/replay" else answer.data.decode()


def figures(service: Service) -> dict[str, Any]:
    """Return the figures of the report."""
    found: dict[str, Any] = service.get("/report")[1]["report"]
    return found


def counted(service: Service, orders: int) -> bool:
    """Tell whether its report counts so many orders."""
    return bool(figures(service)["total_orders"] >= orders)


def lag(service: Service) -> int:
    """Return how many records a service has not read."""
    return int(service.get("/lag")[1]["lag"])


def expected(plan: Plan) -> dict[str, Any]:
    """Count the plan's orders by hand."""
    minutes = Counter(each.timestamp.strftime("%Y-%m-%d %H:%M:00") for each in placed(plan))
    failed = sum(SOLD_OUT in each.items for each in placed(plan))
    return {
        "total_orders": plan.orders,
        "failed_orders": failed,
        "failure_rate_percent": round(100 * failed / plan.orders, 1),
        "average_orders_per_minute": round(plan.orders / len(minutes), 1),
        "current_orders_per_minute": minutes[max(minutes)],
        "orders_by_minute": dict(sorted(minutes.items())),
    }


def granted(plan: Plan) -> Counter[str]:
    """Count the pieces that the plan's orders get."""
    return sum((Counter(each.items) for each in placed(plan) if SOLD_OUT not in each.items), Counter())


def events_of(plan: Plan) -> Counter[str]:
    """Return the ids of all that is said of the plan's orders, each once."""
    ids: list[str] = []
    for each in placed(plan):
        parts = 1 if SOLD_OUT in each.items else len(each.items) + 1
        ids += [f"{each.order_id}/{part}" for part in range(parts)]
    return Counter(ids)


@pytest.mark.timeout(600)
def test_crashes_and_duplicates_change_nothing(log: Log, tmp_path: Path, thorough: bool) -> None:
    """Every order twice, inventory and analytics killed in the middle again and again: exact figures, one digest."""
    plan = Plan(orders=10_000 if thorough else 2_000)
    pace = {"THROTTLE": str(plan.orders), "BATCH": "100", **SESSION}
    inventory, analytics = log.inventory(tmp_path, **pace), log.analytics(tmp_path, **pace)
    with started(inventory, analytics), log.producing(str(plan.orders), "--copies", "2") as ended:
        for turn in range(1, 4):
            until(partial(counted, analytics, plan.orders * turn // 5), "some orders")
            for service in (inventory, analytics):
                service.kill()
                service.start()
        assert ended()[-2:] == [
            f"Published OrderPlaced event: order_{plan.orders - 1:06d}",
            f"Finished producing {plan.orders} events",
        ]
        until(lambda: lag(inventory) == lag(analytics) == 0, "the end of the log")
        replay = posted(analytics, "/replay")
        assert figures(analytics) == replay["replay"]["report"] == expected(plan)
        assert (replay["equal"], replay["live_is_behind"]) == (True, False)
        assert Counter(log.said(plan.orders)) == events_of(plan)
        left = inventory.get("/stock")[1]
        assert Counter(INVENTORY.opening_stock) - Counter(left) == granted(plan)


def test_a_report_every_thousand_orders_and_its_replay(log: Log, tmp_path: Path) -> None:
    """The metrics as users know them, printed as they come, and beside their replay from offset zero."""
    inventory, analytics = log.inventory(tmp_path), log.analytics(tmp_path)
    with started(inventory, analytics):
        log.produced("2500")
        until(lambda: lag(inventory) == lag(analytics) == 0, "the end of the log")
        text = HTTP.request("GET", f"http://127.0.0.1:{analytics.port}/report.txt").data.decode()
        beside = posted(analytics, "/replay.txt").splitlines()
    assert text.startswith("ANALYTICS METRICS REPORT\nTotal Orders: 2500\nFailed Orders: ")
    assert "\nOrders by Minute:\n  2026-02-17 14:33:00: " in text
    assert [line.split() for line in beside[:3]] == [
        ["LIVE", "REPLAY"],
        ["ANALYTICS", "METRICS", "REPORT"] * 2,
        ["Total", "Orders:", "2500"] * 2,
    ]
    assert beside[-1] == "equal digests"
    assert not any("≠" in line for line in beside)


def test_the_same_seed_gives_the_same_bytes(log: Log, kafka: Broker) -> None:
    """Two topics of one seed are equal, those of another are not."""
    other, third = Log(kafka.url, partitions=4), Log(kafka.url, partitions=4)
    for one, seed in ((log, "7"), (other, "7"), (third, "8")):
        if one is not log:
            one.create()
        one.produced("1500", "--seed", seed)
    read = [sorted((r.key(), r.value()) for r in one.read("orders", 1500)) for one in (log, other, third)]
    assert read[0] == read[1]
    assert read[0] != read[2]
    assert len(read[0]) == 1500


def test_two_instances_share_the_work(log: Log, tmp_path: Path) -> None:
    """Partitions change hands when one joins and when one leaves; every order is told once."""
    plan, shared = Plan(orders=2_000), {"DATABASE_URL": f"sqlite:///{tmp_path}/shared.db", "BATCH": "50"}
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    # Slow enough for the first one to be stopped while it has work.
    one, two = (log.inventory(folder, THROTTLE="1000", **shared) for folder in folders)
    with started(one), two:
        two.start()
        log.produced(str(plan.orders), "--copies", "2")
        for each in (one, two):
            until(partial(each.logged, "Received order event"), "orders at both")
        assert one.stop() == 0
        until(lambda: lag(two) == 0 and log.committed() == 2 * plan.orders, "the end of the log")
        assert Counter(log.said(plan.orders)) == events_of(plan)
        assert Counter(INVENTORY.opening_stock) - Counter(two.get("/stock")[1]) == granted(plan)
        assert two.stop() == 0


def test_a_throttled_consumer_falls_behind_and_catches_up(log: Log, tmp_path: Path) -> None:
    """Its lag grows while it is slow, by partition, and is gone when it may run."""
    slow = log.analytics(tmp_path, THROTTLE="100")
    with started(slow):
        log.produced("1000")
        until(lambda: 0 < figures(slow)["total_orders"] < 1000, "some orders")
        rows = slow.get("/lag")[1]["partitions"]
        behind = {row["partition"]: row["lag"] for row in rows if row["topic"] == log.topic("orders")}
        assert sum(behind.values()) > 300
        assert len(behind) == 4
        assert slow.stop() == 0
    with started(quick := log.analytics(tmp_path)):
        until(lambda: lag(quick) == 0, "the end of the log")
        assert figures(quick)["total_orders"] == 1000


def test_analytics_sets_poison_aside_and_counts_the_rest(log: Log, tmp_path: Path) -> None:
    """Bytes, schema, time and no value, on both topics; an order without a time zone would count in two minutes."""
    with started(analytics := log.analytics(tmp_path)):
        log.publish(b"\xff\xfe", trace="7")
        log.publish(None)
        log.publish(order(0, timestamp="2026-02-17T14:33:00"))
        log.publish(b'{"type": "Something"}', topic="events")
        for number in (1, 2, 2):
            log.publish(order(number))
        until(lambda: figures(analytics)["total_orders"] == 2, "two orders")
        dead = log.read("analytics-dead", 4)
        assert {record.value() for record in dead} >= {b"\xff\xfe", None, b'{"type": "Something"}'}
        assert [record.headers()[0] for record in dead if record.value() == b"\xff\xfe"] == [("trace", b"7")]
        assert analytics.get("/orders/o2") == (
            200,
            {"order_id": "o2", "minute": "2026-02-17 14:33:00", "failed": False},
        )
        assert analytics.get("/orders/o3")[0] == 404


def test_a_restart_of_analytics_goes_on_from_its_database(log: Log, tmp_path: Path) -> None:
    """In whatever group it comes back, it has its figures, and reads nothing twice."""
    with started(first := log.analytics(tmp_path)):
        for number in range(5):
            log.publish(order(number))
        until(lambda: figures(first)["total_orders"] == 5, "five orders")
        before = first.get("/report")
        assert first.stop() == 0
    with started(second := log.analytics(tmp_path, GROUP=f"{log.run}-other")):
        assert second.get("/report") == before
        log.publish(order(5))
        until(lambda: figures(second)["total_orders"] == 6, "one more")


def test_a_fresh_group_has_its_first_record_at_once(log: Log, tmp_path: Path) -> None:
    """In less than a second behind ready, the answer included: nobody waits for a rebalance."""
    with started(log.inventory(tmp_path)):
        # From the start of each partition: "latest" is asked for behind the assignment, and may be behind the event.
        reader = Consumer(
            {
                "bootstrap.servers": log.bootstrap,
                "group.id": f"{log.run}-reader",
                "auto.offset.reset": "earliest",
            }
        )
        reader.subscribe([log.topic("events")])
        until(lambda: reader.poll(0.1) is None and reader.assignment(), "the reader's partitions")
        began = time.monotonic()
        log.publish(order(1))
        record = until(lambda: reader.poll(0.1), "the first event")
        seconds = time.monotonic() - began
        reader.close()
    assert (value := record.value()) is not None
    assert json.loads(value)["event_id"] == "o1/1"
    assert seconds < 1.0
