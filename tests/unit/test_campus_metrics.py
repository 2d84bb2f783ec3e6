"""The metrics of the orders, and the report of them."""

import itertools
import re
from datetime import datetime, timedelta

import pytest

from campus_food.kafka.events import OrderPlaced
from campus_food.kafka.metrics import Fact, Metrics, placed
from campus_food.kafka.report import Report, side_by_side
from campus_food.messages import BadMessage

TEXT = """\
ANALYTICS METRICS REPORT
Total Orders: 1000
Failed Orders: 49
Failure Rate: 4.9%
Average Orders per Minute: 1000.0
Current Orders per Minute: 1000
Orders by Minute:
  2026-02-17 14:33:00: 1000 orders"""


def folded(*facts: Fact) -> Metrics:
    """Fold facts one by one."""
    metrics = Metrics()
    for fact in facts:
        metrics.add(metrics.news([fact]))
    return metrics


def at(timestamp: str, order_id: str = "o1") -> OrderPlaced:
    """Place an order at a time."""
    return OrderPlaced(order_id, "u1", {"item_0": 1}, datetime.fromisoformat(timestamp))


def test_the_text_is_that_of_the_original() -> None:
    """Line by line."""
    assert Report(1000, 49, {"2026-02-17 14:33:00": 1000}).text == TEXT


def test_the_average_is_over_the_minutes_that_have_orders() -> None:
    """11,000 in two minutes are 5500.0 a minute, however long the pause between them; the last is the current one."""
    report = Report(11_000, 0, {"2026-02-17 14:33:00": 10_000, "2026-02-17 17:00:00": 1000})
    assert (report.average, report.current, report.failure_rate) == (5500.0, 1000, 0.0)


def test_nothing_yet_is_a_report() -> None:
    """Without orders there is no division."""
    assert Metrics().report().text.splitlines()[1:6] == [
        "Total Orders: 0",
        "Failed Orders: 0",
        "Failure Rate: 0.0%",
        "Average Orders per Minute: 0.0",
        "Current Orders per Minute: 0",
    ]


def test_duplicates_count_once() -> None:
    """In one batch, and in two; an order and its failure are two facts."""
    facts: list[Fact] = [("o1", 5), ("o1", 5), ("o1", None), ("o1", None), ("o2", 5)]
    metrics = Metrics()
    assert metrics.news(facts) == [("o1", 5), ("o1", None), ("o2", 5)]
    metrics.add(metrics.news(facts))
    assert metrics.news(facts) == []
    assert (metrics.total, metrics.failures) == (2, 1)


def test_the_order_of_facts_does_not_matter() -> None:
    """Partitions come in any order: late ones, copies with another time, failures before their orders."""
    facts: list[Fact] = [("o1", 5), ("o1", 3), ("o2", 5), ("o2", None), ("o3", 9)]
    reports = {folded(*each).report().canonical for each in itertools.permutations(facts)}
    assert len(reports) == 1
    report = folded(*facts).report()
    assert (report.total, report.failed, list(report.by_minute.values())) == (3, 1, [1, 1, 1])


def test_batches_do_not_matter() -> None:
    """One at a time or all at once."""
    facts: list[Fact] = [(f"o{n % 70}", n % 7) for n in range(200)] + [(f"o{n}", None) for n in range(9)]
    metrics = Metrics()
    metrics.add(metrics.news(facts))
    assert metrics.report() == folded(*facts).report()


def test_a_failure_without_its_order_waits_for_it() -> None:
    """The rate is never above 100 %, wherever the two topics are read to."""
    metrics = folded(("o1", None))
    assert metrics.report().failed == 0
    metrics.add(metrics.news([("o1", 5)]))
    assert metrics.report().failed == 1


def test_a_report_behind_every_thousand_orders() -> None:
    """Exactly there, though batches end elsewhere."""
    metrics, seen = Metrics(), list[Report]()
    for start in range(0, 3500, 700):
        facts: list[Fact] = [(f"o{n}", n // 1000) for n in range(start, start + 700)]
        metrics.add(metrics.news(facts), seen.append)
    assert [report.total for report in seen] == [1000, 2000, 3000]
    assert [report.current for report in seen] == [1000, 1000, 1000]


def test_the_minute_is_that_of_the_event_anywhere() -> None:
    """An offset is taken into account, seconds are cut off."""
    assert placed(at("2026-02-17T15:33:59+01:00")) == placed(at("2026-02-17T14:33:00Z"))


@pytest.mark.parametrize("timestamp", ["1969-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"])
def test_a_time_without_a_name_is_bad(timestamp: str) -> None:
    """What no report can show is poison, and stops nothing."""
    with pytest.raises(BadMessage, match="expected a time from 1970 to 9999"):
        placed(at(timestamp))


def test_digests_tell_reports_apart() -> None:
    """Equal figures, equal digest; one order more, another one."""
    one, same, more = (Report(total, 0, {"2026-02-17 14:33:00": total}) for total in (5, 5, 6))
    assert one.digest == same.digest != more.digest
    assert one.canonical == (
        '{"average_orders_per_minute":5.0,"current_orders_per_minute":5,"failed_orders":0,'
        '"failure_rate_percent":0.0,"orders_by_minute":{"2026-02-17 14:33:00":5},"total_orders":5}'
    )


def test_side_by_side_marks_what_differs() -> None:
    """Line by line, one longer than the other."""
    minute = datetime.fromisoformat("2026-02-17T14:33:00")
    longer = {f"{minute + timedelta(minutes=n)}": 1 for n in range(2)}
    rows = side_by_side(Report(1, 0, {f"{minute}": 1}), Report(2, 0, longer), ("LIVE", "REPLAY")).splitlines()
    assert [re.split(r"[ :]", row.strip())[0] for row in rows if "≠" in row] == [
        "Total",
        "≠",
        "sha256",
    ]
