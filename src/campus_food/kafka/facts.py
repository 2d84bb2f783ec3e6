"""What analytics remembers: the facts that count, in the order in which they came, and how far it has read.

Both in one transaction, so that a crash takes them back together. What is in memory is folded from the facts,
by the code that folds events.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from campus_food.database import Database, insert_many
from campus_food.kafka.clients import Place
from campus_food.kafka.metrics import Fact, Metrics
from campus_food.kafka.report import Report
from campus_food.schema import METADATA
from campus_food.settings import Settings

FACTS = sa.Table(
    "analytics_facts",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("minute", sa.Integer, nullable=True),  # none: the order has failed
)

POSITIONS = sa.Table(
    "analytics_positions",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("next", sa.BigInteger, nullable=False),
)

# One row, which every writer changes first: instances that share a database write one after the other, and
# each knows whether it has seen what the others wrote.
VERSION = sa.Table(
    "analytics_version",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

_REACHED = sa.text(
    'INSERT INTO analytics_positions (topic, "partition", next) VALUES (:topic, :partition, :next)'
    ' ON CONFLICT (topic, "partition") DO UPDATE SET next = excluded.next'
)


class Stale(Exception):  # noqa: N818 - it names what is in memory; nothing went wrong
    """Another instance has written since this one looked."""


class Facts(Database):
    """The database of analytics.

    Promise: facts and positions are on disk together or not at all. Limits: every order is kept for ever.
    Cost: no flush to the disk. After a loss of power the last transactions may be gone, positions and facts
    alike, and are read again; nothing that was said elsewhere depends on them.
    """

    TABLES = (FACTS, POSITIONS, VERSION)
    SYNCHRONOUS = "NORMAL"

    def prepare(self, settings: Settings) -> None:  # noqa: ARG002 - it needs none
        """Begin with version 0."""
        with suppress(IntegrityError), self._engine.begin() as tx:
            tx.execute(sa.insert(VERSION).values(id=1, version=0))

    def version(self) -> int:
        """Return how often something was written."""
        with self._engine.connect() as tx:
            return int(tx.execute(sa.select(VERSION.c.version)).scalar_one())

    def since(self, known: int) -> tuple[int, list[Fact], dict[Place, int]]:
        """Return the version, the facts behind the first `known` ones, and all positions, as of one moment."""
        wanted = sa.select(FACTS.c.order_id, FACTS.c.minute).where(FACTS.c.number >= known)
        with self._engine.begin() as tx:
            # A write that changes nothing: what follows is then read under one lock.
            tx.execute(sa.update(VERSION).values(version=VERSION.c.version))
            version = int(tx.execute(sa.select(VERSION.c.version)).scalar_one())
            facts = [tuple(row) for row in tx.execute(wanted.order_by(FACTS.c.number))]
            places = {(row.topic, row.partition): row.next for row in tx.execute(sa.select(POSITIONS))}
        return version, facts, places

    def append(self, version: int, known: int, facts: Sequence[Fact], reached: Mapping[Place, int]) -> None:
        """Write facts, numbered from `known` on, and positions; raise `Stale` at any other version."""
        rows = [
            {"topic": topic, "partition": each, "next": offset} for (topic, each), offset in reached.items()
        ]
        mine = sa.update(VERSION).where(VERSION.c.version == version).values(version=version + 1)
        with self._engine.begin() as tx:
            if tx.execute(mine).rowcount != 1:
                raise Stale(str(version))
            numbered: list[Any] = [(number, *fact) for number, fact in enumerate(facts, known)]
            insert_many(tx, FACTS, numbered)
            tx.execute(_REACHED, rows)


class Ledger:
    """The metrics in memory, never ahead of the database, and never behind it when they are asked for."""

    def __init__(self, store: Facts, metrics: Metrics) -> None:
        self.metrics = metrics
        self.positions: dict[Place, int] = {}
        self._store = store
        self._version = -1
        self._known = 0
        self._changed = threading.Condition()

    def refresh(self) -> None:
        """Take in what other instances, or an earlier life, have written; raises one of `TRANSIENT`."""
        with self._changed:
            if self._store.version() != self._version:
                self._load()

    def take(
        self, facts: Sequence[Fact], reached: Mapping[Place, int], each: Callable[[Report], None]
    ) -> None:
        """Fold facts in, and write down how far the partitions are read.

        `each` gets the report behind every 1,000 orders, when it is on disk. Raises `Stale`, or one of
        `TRANSIENT`, with nothing changed.
        """
        with self._changed:
            news = self.metrics.news(facts)
            self._store.append(self._version, self._known, news, reached)
            self._version += 1
            self._add(news, reached, each)

    def snapshot(self) -> tuple[Report, dict[Place, int]]:
        """Return the report, and how far exactly it has read; raises one of `TRANSIENT`."""
        with self._changed:
            self.refresh()
            return self.metrics.report(), dict(self.positions)

    def tell(self) -> None:
        """Let those look again who wait."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, so: Callable[[], bool], seconds: float) -> bool:
        """Wait until it is so, looking at every change; tell whether it is."""
        with self._changed:
            return self._changed.wait_for(so, seconds)

    def _load(self) -> None:
        version, facts, positions = self._store.since(self._known)
        self._version = version
        self._add(facts, positions, lambda _: None)

    def _add(
        self, facts: Sequence[Fact], reached: Mapping[Place, int], each: Callable[[Report], None]
    ) -> None:
        self.metrics.add(facts, each)
        self._known += len(facts)
        self.positions |= reached
        self._changed.notify_all()
