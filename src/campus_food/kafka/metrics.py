"""The metrics of the orders, folded from events: pure, so that live, loaded and replayed metrics are one code.

What is kept does not depend on the order in which partitions are read, on batches, or on any clock: an order
counts once, in the minute of its earliest event time, and has failed if one outcome says so.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from campus_food.kafka.events import Event, InventoryFailed, OrderPlaced
from campus_food.kafka.report import Report
from campus_food.messages import BadMessage

EVERY = 1000
"""Orders between two looks at the metrics."""

MINUTE = 60  # seconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MINUTE = 253402300799 // MINUTE  # of the year 9999: a later one has no name

Fact = tuple[str, int | None]
"""What an event says: an order's id, and the minute it counts in; None says that it has failed."""


@dataclass
class Metrics:
    """What is known of the orders so far."""

    minutes: dict[str, int] = field(default_factory=dict)
    """The minute of each order, in minutes since 1970."""
    failed: set[str] = field(default_factory=set)
    by_minute: dict[int, int] = field(default_factory=dict)
    total: int = 0
    failures: int = 0

    def news(self, facts: Iterable[Fact]) -> list[Fact]:
        """Return those of the facts that add something to what is known; nothing is changed yet.

        Duplicates add nothing. Two copies of an order with different times count in the earlier minute,
        whichever is met first.
        """
        found: list[Fact] = []
        minutes, fresh, failed = self.minutes, dict[str, int](), set[str]()
        for fact in facts:
            order_id, minute = fact
            if minute is None:
                if order_id not in self.failed and order_id not in failed:
                    failed.add(order_id)
                    found.append(fact)
                continue
            known = fresh.get(order_id)
            if known is None:
                known = minutes.get(order_id)
            if known is None or minute < known:
                fresh[order_id] = minute
                found.append(fact)
        return found

    def add(self, facts: Iterable[Fact], each: Callable[[Report], None] = lambda _: None) -> None:
        """Take the facts in; `each` gets the report behind every 1,000 orders."""
        for order_id, minute in facts:
            if minute is None:
                self.failed.add(order_id)
                self.failures += order_id in self.minutes
            elif (before := self.minutes.get(order_id)) is not None:
                self._move(order_id, before, minute)
            else:
                self.minutes[order_id] = minute
                self.by_minute[minute] = self.by_minute.get(minute, 0) + 1
                self.total += 1
                self.failures += order_id in self.failed
                if not self.total % EVERY:
                    each(self.report())

    def report(self) -> Report:
        """Return the figures as they stand; cost: one look at each minute."""
        by_minute = {named(minute): self.by_minute[minute] for minute in sorted(self.by_minute)}
        return Report(self.total, self.failures, by_minute)

    def _move(self, order_id: str, before: int, minute: int) -> None:
        """Count an order in another minute."""
        self.minutes[order_id] = minute
        self.by_minute[before] -= 1
        if not self.by_minute[before]:
            del self.by_minute[before]
        self.by_minute[minute] = self.by_minute.get(minute, 0) + 1


def placed(order: OrderPlaced) -> Fact:
    """Return what an order says; raise `BadMessage` where its time has no name."""
    minute = int(order.timestamp.timestamp()) // MINUTE
    if not 0 <= minute <= LAST_MINUTE:
        raise BadMessage("timestamp", f"expected a time from 1970 to 9999, found {order.timestamp}")
    return order.order_id, minute


def told(event: Event) -> Fact | None:
    """Return what the inventory's event says, where that counts here."""
    return (event.order_id, None) if type(event) is InventoryFailed else None


def named(minute: int) -> str:
    """Return a minute as people write it."""
    return (EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%d %H:%M:%S")
