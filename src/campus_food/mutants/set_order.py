"""Breaks: replays-identically.

The minutes of the report come out of a set, in the order of their hashes: every process has another one. Seen in
gluten#8985.
"""

from campus_food.kafka.analytics import Analytics, main
from campus_food.kafka.metrics import Metrics, named
from campus_food.kafka.report import Report


class UnsortedMetrics(Metrics):
    """Does not sort."""

    def report(self) -> Report:
        """Return the figures as they stand."""
        numbers = {named(minute): number for minute, number in self.by_minute.items()}
        return Report(self.total, self.failures, {minute: numbers[minute] for minute in {*numbers}})


class SetOrder(Analytics):
    """Counts so."""

    def make_metrics(self) -> Metrics:
        """Return metrics that know nothing yet."""
        return UnsortedMetrics()


if __name__ == "__main__":
    main(SetOrder)
