"""The analytics service: `python -m campus_food.kafka.analytics`.

Reads orders and what became of them, and keeps the metrics. Facts and offsets are one database transaction; the
group only shares out the partitions, and where to begin in one is for the database to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaException, Message, TopicPartition

from campus_food.kafka.clients import Cluster, Publisher, cluster_from, producer_settings
from campus_food.kafka.consumer import Consumer, positions
from campus_food.kafka.dead_letters import set_aside
from campus_food.kafka.facts import Facts, Ledger, Stale
from campus_food.kafka.metrics import Metrics
from campus_food.kafka.reading import Poison, Reader
from campus_food.kafka.report import Report
from campus_food.kafka.web_analytics import analytics_routes
from campus_food.service import Kind, run

ANALYTICS = Kind("analytics", 8003)
BATCH = 10_000


class Analytics(Consumer):
    """Folds both topics into metrics."""

    def __init__(self, cluster: Cluster, store: Facts) -> None:
        super().__init__(cluster, [cluster.orders, cluster.events])
        self.store = store
        self.reader = self.make_reader()
        self.ledger = Ledger(store, self.make_metrics())
        self._publisher: Publisher | None = None

    def make_metrics(self) -> Metrics:
        """Return metrics that know nothing yet: for the service, and for each replay."""
        return Metrics()

    def make_reader(self) -> Reader:
        """Return what reads records."""
        return Reader(self.cluster)

    def connected(self) -> None:
        """Take in what is in the database."""
        self.retry(self.ledger.refresh)

    def assigned(self, client: Any, partitions: Sequence[TopicPartition]) -> None:
        """Begin where the database says; the group has no offsets."""
        self.retry(self.ledger.refresh)
        for each in partitions:
            each.offset = self.ledger.positions.get((each.topic, each.partition), OFFSET_BEGINNING)
        client.assign(partitions)

    def handle(self, records: Sequence[Message]) -> None:
        """Fold the batch in; again, without what another instance has done, where that one was first."""
        aside: set[int] = set()
        while True:
            behind = dict(self.ledger.positions)
            facts, poison = self.reader.read(records, behind)
            self.set_aside([each for each in poison if id(each[0]) not in aside])
            aside |= {id(record) for record, _ in poison}
            reached = self.further(records, behind)
            if not reached:
                return
            try:
                self.retry(lambda: self.ledger.take(facts, reached, self.show))  # noqa: B023 - called at once
            except Stale:
                self.retry(self.ledger.refresh)
            else:
                return

    def at_end(self) -> None:
        """Let those know who wait for it."""
        self.ledger.tell()

    def further(self, records: Sequence[Message], behind: Mapping[Any, int]) -> dict[Any, int]:
        """Return how far these records lead, where that is further than before."""
        return {place: end for place, end in positions(records).items() if end > behind.get(place, 0)}

    def set_aside(self, poison: Sequence[Poison]) -> None:
        """Put records that nobody can read into the dead letters, before their offsets are kept."""
        if poison:
            self.ask(lambda: self._letters(poison))

    def show(self, report: Report) -> None:
        """Print the metrics."""
        print(f"\n{report.text}", flush=True)

    def _letters(self, poison: Sequence[Poison]) -> None:
        if self._publisher is None:
            self._publisher = Publisher(producer_settings(self.cluster))
        for record, reason in poison:
            set_aside(self._publisher.produce, self.cluster.dead_letters, record, reason)
        try:
            self._publisher.flush()
        except KafkaException:
            self._publisher = None  # the next try has one of its own, see `consumer.FORGOTTEN`
            raise


def main(analytics: type[Analytics] = Analytics, store: type[Facts] = Facts) -> None:
    """Run the service until SIGTERM."""
    run(
        ANALYTICS,
        lambda environ: cluster_from(environ, "analytics", BATCH),
        analytics,
        store,
        analytics_routes,
    )


if __name__ == "__main__":
    main()
