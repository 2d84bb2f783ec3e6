"""Breaks: replays-identically.

An order is recognised within its batch only: a copy in a later batch counts again, and where batches end is chance.
"""

from collections.abc import Callable, Iterable

from campus_food.kafka.analytics import Analytics, main
from campus_food.kafka.metrics import Fact, Metrics
from campus_food.kafka.report import Report


class ForgetfulMetrics(Metrics):
    """Knows nothing of earlier batches."""

    def news(self, facts: Iterable[Fact]) -> list[Fact]:
        """Return the facts of a batch, each order once."""
        return Metrics().news(facts)

    def add(self, facts: Iterable[Fact], each: Callable[[Report], None] = lambda _: None) -> None:
        """Take the facts in, as if each were of a new order."""
        for order_id, minute in facts:
            if minute is not None:
                self.minutes.pop(order_id, None)
            super().add([(order_id, minute)], each)


class CountsDuplicates(Analytics):
    """Counts so."""

    def make_metrics(self) -> Metrics:
        """Return metrics that know nothing yet."""
        return ForgetfulMetrics()


if __name__ == "__main__":
    main(CountsDuplicates)
