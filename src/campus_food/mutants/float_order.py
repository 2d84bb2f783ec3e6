"""Breaks: replays-identically.

How far the minutes of the orders lie apart is summed up in floats on the way: the last digits depend on the order
in which partitions were read. Seen in gluten#8985.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from campus_food.kafka.analytics import Analytics, main
from campus_food.kafka.metrics import Fact, Metrics
from campus_food.kafka.report import Report


@dataclass(frozen=True, slots=True)
class SpreadReport(Report):
    """Has one figure more."""

    spread: float = 0.0

    @property
    def figures(self) -> dict[str, Any]:
        """Everything, by name."""
        return {**Report.figures.__get__(self), "variance_of_minutes": self.spread}


class SpreadMetrics(Metrics):
    """Takes mean and squares on the way."""

    mean = 0.0
    squares = 0.0

    def add(self, facts: Iterable[Fact], each: Callable[[Report], None] = lambda _: None) -> None:
        """Take the facts in, one by one."""
        for fact in facts:
            known = self.total
            super().add([fact], each)
            minute = fact[1]
            if self.total > known and minute is not None:
                apart = minute - self.mean
                self.mean += apart / self.total
                self.squares += apart * (minute - self.mean)

    def report(self) -> Report:
        """Return the figures as they stand."""
        plain = super().report()
        return SpreadReport(plain.total, plain.failed, plain.by_minute, self.squares / max(1, plain.total))


class FloatOrder(Analytics):
    """Counts so."""

    def make_metrics(self) -> Metrics:
        """Return metrics that know nothing yet."""
        return SpreadMetrics()


if __name__ == "__main__":
    main(FloatOrder)
