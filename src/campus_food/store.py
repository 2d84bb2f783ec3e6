"""What an inventory service remembers: inbox, stock, reservations and outbox, changed in one transaction."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from campus_food import domain
from campus_food.database import Duplicate, Inbox
from campus_food.messages import Event, OrderPlaced, outcome
from campus_food.schema import ATTEMPTS, INBOX, OUTBOX, RESERVATIONS, STOCK
from campus_food.settings import Settings

# Built once: to build a statement takes longer than to carry it out.
_LOCKED = (
    sa.select(STOCK)
    .where(STOCK.c.name.in_(sa.bindparam("names", expanding=True)))
    .order_by(STOCK.c.name)
    .with_for_update()
)
_KEEP = sa.update(STOCK).where(STOCK.c.name == sa.bindparam("item")).values(quantity=sa.bindparam("left"))
_ADD = sa.insert(RESERVATIONS)
_TELL = sa.insert(OUTBOX)

RESERVED = "reserved"

_UNPUBLISHED = (
    sa.select(OUTBOX.c.message_id, OUTBOX.c.kind, OUTBOX.c.order_id, OUTBOX.c.body)
    .where(OUTBOX.c.published.is_(False))
    .order_by(OUTBOX.c.number)
)
_UNPUBLISHED_OF = _UNPUBLISHED.where(OUTBOX.c.order_id == sa.bindparam("order_id"))
_PUBLISHED = (
    sa.update(OUTBOX)
    .where(OUTBOX.c.message_id.in_(sa.bindparam("message_ids", expanding=True)))
    .values(published=True)
)

_RESERVATIONS = sa.select(RESERVATIONS).order_by(RESERVATIONS.c.number)
_RESERVATIONS_BY = {
    name: _RESERVATIONS.where(RESERVATIONS.c[name] == sa.bindparam("id")) for name in ("order_id", "user_id")
}


@dataclass(frozen=True, slots=True)
class Reservation:
    """What became of one order; `status` is "reserved", "failed" with a reason, or "released"."""

    order_id: str
    user_id: str
    items: Mapping[str, int]
    status: str
    reason: str


class Store(Inbox):
    """The database of one inventory service.

    Promise: once `reserve` has returned, the order's effect and its outcome are on disk, once, whatever
    crashes next. Limits: orders are told apart by message id and by order id, and both are kept for ever; that an
    outcome was published is written down with the next order, so that a crash may have a few published again,
    under their ids. Cost: one transaction, and one flush to the disk, an order.
    """

    TABLES: ClassVar[Sequence[sa.Table]] = (ATTEMPTS, INBOX, STOCK, RESERVATIONS, OUTBOX)
    HANDLED = INBOX

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._confirmed: set[str] = set()  # and not written down yet
        # Of the last order, until it is published: it need not be read again.
        self._outcome: Event | None = None

    def prepare(self, settings: Settings) -> None:
        """Count out the opening stock, once: a restart finds its rows and keeps what is left in them."""
        self.fill(settings.opening_stock)

    def fill(self, stock: Mapping[str, int]) -> None:
        """Put these pieces of each item into the stock, where there is none yet."""
        rows = [{"name": name, "quantity": quantity} for name, quantity in stock.items()]
        with suppress(IntegrityError), self._engine.begin() as tx:
            tx.execute(sa.insert(STOCK), rows)

    def reserve(self, order: OrderPlaced) -> bool:
        """Decide the order and store all that follows; False, with nothing changed, for a duplicate.

        Raises one of `TRANSIENT`, with nothing changed.
        """
        written = [*self._confirmed]
        self._outcome = None
        try:
            with self._engine.begin() as tx:
                # The inbox row goes first. It takes the write lock, so that of two copies handled at once the
                # second waits here and then meets the first one's row; to ask first, write later would not.
                self._claim(tx, order)
                self._carry_out(tx, order)
                write_published(tx, written)
        except Duplicate:
            return False
        self._confirmed.difference_update(written)
        return True

    def unpublished(self, order_id: str | None = None) -> list[Event]:
        """List the outcomes that no broker has confirmed yet, oldest first: all of them, or those of one order."""
        if self._outcome is not None and self._outcome.order_id == order_id:
            return [self._outcome]
        wanted = _UNPUBLISHED if order_id is None else _UNPUBLISHED_OF
        with self._engine.connect() as tx:
            events = [Event(*row) for row in tx.execute(wanted, {"order_id": order_id})]
        return [event for event in events if event.message_id not in self._confirmed]

    def mark_published(self, message_ids: Iterable[str]) -> None:
        """Remember that the broker confirmed these outcomes; on disk with the next order, or by `write_down`."""
        self._confirmed.update(message_ids)
        self._outcome = None

    def write_down(self) -> None:
        """Write down what was confirmed; raises one of `TRANSIENT`, with nothing forgotten."""
        if written := [*self._confirmed]:
            with self._engine.begin() as tx:
                write_published(tx, written)
            self._confirmed.difference_update(written)

    def stock(self) -> dict[str, int]:
        """Tell how many pieces of each item are left."""
        with self._engine.connect() as tx:
            return {row.name: row.quantity for row in tx.execute(sa.select(STOCK).order_by(STOCK.c.name))}

    def reservation(self, order_id: str) -> Reservation | None:
        """Tell what became of an order; None where it was never handled."""
        return next(iter(self._reservations("order_id", order_id)), None)

    def reservations_of(self, user_id: str) -> list[Reservation]:
        """Tell what became of a user's orders, in the order in which they were decided."""
        return self._reservations("user_id", user_id)

    def _reservations(self, of: str, whose: str) -> list[Reservation]:
        with self._engine.connect() as tx:
            rows = tx.execute(_RESERVATIONS_BY[of], {"id": whose}).all()
        return [Reservation(r.order_id, r.user_id, json.loads(r.items), r.status, r.reason) for r in rows]

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Write the inbox row; raise `Duplicate` where this message, or its order, is there already."""
        self.claim(tx, message_id=order.message_id, order_id=order.order_id)

    def _carry_out(self, tx: sa.Connection, order: OrderPlaced) -> None:
        self._record(tx, order, decide(tx, order.items))

    def _new_id(self, _order: OrderPlaced) -> str:
        """Make the id of an order's outcome."""
        return str(uuid.uuid4())

    def _record(
        self, tx: sa.Connection, order: OrderPlaced, decision: domain.Reserved | domain.Refused
    ) -> None:
        """Store what was decided, and what is to be told of it."""
        add_reservation(tx, reservation_of(order, decision))
        # The outcome's id is kept here: published twice, it is recognised as the same outcome.
        event = outcome(order, decision, self._new_id(order), datetime.now(UTC).isoformat())
        tx.execute(_TELL, {**asdict(event), "published": False})
        self._outcome = event


def write_published(tx: sa.Connection, message_ids: Sequence[str]) -> None:
    """Write down which outcomes were confirmed."""
    if message_ids:
        tx.execute(_PUBLISHED, {"message_ids": message_ids})


def decide(tx: sa.Connection, items: Mapping[str, int]) -> domain.Reserved | domain.Refused:
    """Decide one order, and take what it is granted."""
    decision = domain.reserve(stock_of(tx, items), items)
    if isinstance(decision, domain.Reserved):
        keep_left(tx, decision.left)
    return decision


def reservation_of(order: OrderPlaced, decision: domain.Reserved | domain.Refused) -> Reservation:
    """Return the reservation that follows from a decision."""
    status, reason = ("failed", decision.reason) if isinstance(decision, domain.Refused) else (RESERVED, "")
    return Reservation(order.order_id, order.user_id, order.items, status, reason)


def add_reservation(tx: sa.Connection, made: Reservation) -> None:
    """Store what became of an order."""
    tx.execute(_ADD, {**asdict(made), "items": items_text(made.items)})


def items_text(items: Mapping[str, int]) -> str:
    """Return how items are stored: the same text for the same items."""
    return json.dumps(items, sort_keys=True)


def stock_of(tx: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Read the stock of these items, locked until the end of the transaction (in one order: no deadlock)."""
    return {row.name: row.quantity for row in tx.execute(_LOCKED, {"names": list(names)})}


def keep_left(tx: sa.Connection, left: Mapping[str, int]) -> None:
    """Write down what is left of these items."""
    if left:
        tx.execute(_KEEP, [{"item": name, "left": quantity} for name, quantity in left.items()])
