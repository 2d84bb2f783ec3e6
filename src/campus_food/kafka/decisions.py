"""What the inventory on Kafka remembers: stock, and what was decided of each order, at which place of the log.

The database is written before the Kafka transaction commits, so a crash can leave decisions that nobody was
told of. Their records come again, from the same places, and are told what is kept here. A copy of an order at
another place is a duplicate, and is told nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.exc import IntegrityError

from campus_food import domain
from campus_food.database import Database, insert_many, select_in
from campus_food.kafka import events
from campus_food.kafka.events import Event, OrderPlaced
from campus_food.schema import METADATA, STOCK
from campus_food.settings import Settings
from campus_food.store import Reservation

DECISIONS = sa.Table(
    "stream_decisions",
    METADATA,
    sa.Column("order_id", sa.Text, primary_key=True),
    # Where the record lies that was decided.
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the order, as it came
    sa.Column("reason", sa.Text, nullable=False),  # empty where the order was granted
)

# What lies before these offsets was told for sure: the transaction with its outcomes has committed.
TOLD = sa.Table(
    "stream_told",
    METADATA,
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("upto", sa.BigInteger, nullable=False),
)

_REMEMBER = sa.text(
    'INSERT INTO stream_told ("partition", upto) VALUES (:partition, :upto)'
    ' ON CONFLICT ("partition") DO UPDATE SET upto = excluded.upto WHERE excluded.upto > stream_told.upto'
)


# Built once: to build a statement takes longer than to carry it out.
_STOCK = sa.select(STOCK)
_LOCKED = _STOCK.with_for_update()
_KEEP = sa.update(STOCK).where(STOCK.c.name == sa.bindparam("item")).values(quantity=sa.bindparam("left"))


class Placed(Struct, frozen=True, gc=False):
    """An order, and where its record lies."""

    order: OrderPlaced
    body: bytes
    partition: int
    offset: int


class Decided(Struct, frozen=True, gc=False):
    """What became of one order; `reason` is empty where it was granted."""

    placed: Placed
    reason: str

    @property
    def place(self) -> tuple[int, int]:
        """Where the record lies that was decided: its partition, and its offset there."""
        return self.placed.partition, self.placed.offset

    @property
    def events(self) -> Iterator[Event]:
        """What is to be told of it, always the same."""
        return (
            events.failed(self.placed.order, self.reason)
            if self.reason
            else events.reserved(self.placed.order)
        )


class Decisions(Database):
    """The database of the inventory; its instances may share it.

    Promise: a batch is decided in one transaction, each order once, whatever crashes. Limits: orders are told
    apart by their id, and are kept for ever. Cost: one flush to the disk a batch.
    """

    TABLES = (DECISIONS, TOLD, STOCK)

    def prepare(self, settings: Settings) -> None:
        """Count out the opening stock, once: a restart finds its rows and keeps what is left in them."""
        rows = [{"name": name, "quantity": quantity} for name, quantity in settings.opening_stock.items()]
        with suppress(IntegrityError), self._engine.begin() as tx:
            tx.execute(sa.insert(STOCK), rows)

    def decide(self, batch: Sequence[Placed], told: Mapping[int, int]) -> list[Decided]:
        """Decide what is new, and return what is to be told, in the order of the batch.

        `told` are the offsets, by partition, before which everything was told. Raises one of `TRANSIENT`, or
        `IntegrityError` where another instance decided a copy at this moment: with nothing changed.
        """
        with self._engine.begin() as tx:
            # A write goes first. In SQLite it takes the lock under which everything below is read.
            self._remember(tx, {placed.partition: told.get(placed.partition, 0) for placed in batch})
            # And this is the lock of other databases.
            stock = {row.name: row.quantity for row in tx.execute(_LOCKED)}
            known = self.known(tx, {placed.order.order_id for placed in batch})
            fresh, to_tell = self._decide(tx, batch, stock, known)
            self._keep(tx, fresh, stock)
        return to_tell

    def remember(self, told: Mapping[int, int]) -> None:
        """Write down before which offsets everything was told."""
        with self._engine.begin() as tx:
            self._remember(tx, told)

    def known(self, tx: sa.Connection, order_ids: Iterable[str]) -> dict[str, Decided]:
        """Return what was decided of these orders before."""
        return {row.order_id: _decided(row) for row in select_in(tx, DECISIONS, "order_id", list(order_ids))}

    def stock(self) -> dict[str, int]:
        """Tell how many pieces of each item are left."""
        with self._engine.connect() as tx:
            return {row.name: row.quantity for row in tx.execute(_STOCK.order_by(STOCK.c.name))}

    def reservation(self, order_id: str) -> Reservation | None:
        """Tell what became of an order; None where it was never handled."""
        with self._engine.connect() as tx:
            found = self.known(tx, [order_id]).get(order_id)
        if found is None:
            return None
        status = "failed" if found.reason else "reserved"
        order = found.placed.order
        return Reservation(order_id, order.user_id, order.items, status, found.reason)

    def _decide(
        self, tx: sa.Connection, batch: Sequence[Placed], stock: dict[str, int], known: dict[str, Decided]
    ) -> tuple[list[Decided], list[Decided]]:
        """Return what is decided now, and all that is to be told; `stock` and `known` go along."""
        fresh, to_tell, told = [], [], self._told(tx) if known else {}
        for placed in batch:
            before = known.get(placed.order.order_id)
            if before is None:
                decided = known[placed.order.order_id] = _decision(placed, stock)
                fresh.append(decided)
                to_tell.append(decided)
            elif before.place == (placed.partition, placed.offset) and (
                placed.offset >= told.get(placed.partition, 0)
            ):
                # The same record again: it was decided, and the transaction that told so never committed.
                to_tell.append(before)
        return fresh, to_tell

    def _keep(self, tx: sa.Connection, fresh: Sequence[Decided], stock: Mapping[str, int]) -> None:
        self._take(tx, fresh, stock)
        self._mark(tx, fresh)

    def _take(self, tx: sa.Connection, fresh: Sequence[Decided], stock: Mapping[str, int]) -> None:
        """Write down what is left in stock of what these orders got."""
        names: set[str] = set().union(*(each.placed.order.items for each in fresh if not each.reason))
        if names:
            tx.execute(_KEEP, [{"item": name, "left": stock[name]} for name in sorted(names)])

    def _mark(self, tx: sa.Connection, fresh: Sequence[Decided]) -> None:
        """Write down what was decided of these orders: from now on they are known."""
        insert_many(tx, DECISIONS, [_row(decided) for decided in fresh])

    def _remember(self, tx: sa.Connection, told: Mapping[int, int]) -> None:
        if told:
            tx.execute(_REMEMBER, [{"partition": each, "upto": upto} for each, upto in sorted(told.items())])

    def _told(self, tx: sa.Connection) -> dict[int, int]:
        return {row.partition: row.upto for row in tx.execute(sa.select(TOLD))}


def _decision(placed: Placed, stock: dict[str, int]) -> Decided:
    """Decide one order, and take from the stock what it gets."""
    found = domain.reserve(stock, placed.order.items)
    if isinstance(found, domain.Refused):
        return Decided(placed, found.reason)
    stock.update(found.left)
    return Decided(placed, "")


def _row(decided: Decided) -> tuple[Any, ...]:
    placed = decided.placed
    # Not as bytes: Python's sqlite3 asks the value itself, and its type, how they are to be stored.
    return placed.order.order_id, placed.partition, placed.offset, bytearray(placed.body), decided.reason


def _decided(row: Any) -> Decided:
    return Decided(Placed(events.read_order(row.body), row.body, row.partition, row.offset), row.reason)
