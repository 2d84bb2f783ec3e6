"""What an inventory service remembers: inbox, stock, reservations and outbox, changed in one transaction."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from campus_food import domain
from campus_food.messages import Event, OrderPlaced, outcome
from campus_food.schema import INBOX, OUTBOX, RESERVATIONS, STOCK

# Nothing is wrong with the message: the database is locked, full or away, and may be better later.
TRANSIENT = (OperationalError, PoolTimeoutError)


class Duplicate(Exception):  # noqa: N818 - it names what the message is; nothing went wrong
    """The message, or its order under another message id, was handled before."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What became of one order; `status` is "reserved" or "failed", with a reason."""

    order_id: str
    user_id: str
    items: Mapping[str, int]
    status: str
    reason: str


class Store:
    """The database of one inventory service; several processes may share it.

    Promise: once `reserve` has returned, the order's effect and its outcome are on disk, once, whatever
    crashes next. Limits: orders are told apart by message id and by order id, and both are kept for ever.
    Cost: one transaction, and one flush to the disk, an order; another one when its outcome was published.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def reserve(self, order: OrderPlaced) -> bool:
        """Decide the order and store all that follows; False, with nothing changed, for a duplicate.

        Raises one of `TRANSIENT`, with nothing changed.
        """
        try:
            with self._engine.begin() as tx:
                # The inbox row goes first. It takes the write lock, so that of two copies handled at once the
                # second waits here and then meets the first one's row; to ask first, write later would not.
                self._claim(tx, order)
                self._carry_out(tx, order)
        except Duplicate:
            return False
        return True

    def unpublished(self) -> list[Event]:
        """List the outcomes that no broker has confirmed yet, oldest first."""
        columns = (OUTBOX.c.message_id, OUTBOX.c.kind, OUTBOX.c.order_id, OUTBOX.c.body)
        wanted = sa.select(*columns).where(OUTBOX.c.published.is_(False)).order_by(OUTBOX.c.number)
        with self._engine.connect() as tx:
            return [Event(*row) for row in tx.execute(wanted)]

    def mark_published(self, message_ids: Iterable[str]) -> None:
        """Remember that the broker confirmed these outcomes."""
        done = sa.update(OUTBOX).where(OUTBOX.c.message_id.in_(list(message_ids))).values(published=True)
        with self._engine.begin() as tx:
            tx.execute(done)

    def stock(self) -> dict[str, int]:
        """Tell how many pieces of each item are left."""
        with self._engine.connect() as tx:
            return {row.name: row.quantity for row in tx.execute(sa.select(STOCK).order_by(STOCK.c.name))}

    def reservation(self, order_id: str) -> Reservation | None:
        """Tell what became of an order; None where it was never handled."""
        wanted = sa.select(RESERVATIONS).where(RESERVATIONS.c.order_id == order_id)
        with self._engine.connect() as tx:
            row = tx.execute(wanted.order_by(RESERVATIONS.c.number)).first()
        if row is None:
            return None
        return Reservation(row.order_id, row.user_id, json.loads(row.items), row.status, row.reason)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Write the inbox row; raise `Duplicate` where this message, or its order, is there already.

        The exception must end the transaction: PostgreSQL accepts nothing more after a failed statement, and
        a savepoint around it would, with Python's sqlite3, commit the inbox row on its own.
        """
        row = {"message_id": order.message_id, "order_id": order.order_id}
        try:
            tx.execute(sa.insert(INBOX).values(**row))
        except IntegrityError as error:
            raise Duplicate(order.message_id) from error

    def _carry_out(self, tx: sa.Connection, order: OrderPlaced) -> None:
        decision = domain.reserve(_stock_of(tx, order.items), order.items)
        if isinstance(decision, domain.Reserved):
            _keep_left(tx, decision.left)
        _add_reservation(tx, order, decision)
        # The outcome's id is made and kept here: published twice, it is recognised as the same outcome.
        event = outcome(order, decision, str(uuid.uuid4()), datetime.now(UTC).isoformat())
        tx.execute(sa.insert(OUTBOX).values(**asdict(event), published=False))


def _stock_of(tx: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Read the stock of these items, locked until the end of the transaction (in one order: no deadlock)."""
    wanted = sa.select(STOCK).where(STOCK.c.name.in_(list(names))).order_by(STOCK.c.name)
    return {row.name: row.quantity for row in tx.execute(wanted.with_for_update())}


def _keep_left(tx: sa.Connection, left: Mapping[str, int]) -> None:
    for name, quantity in left.items():
        tx.execute(sa.update(STOCK).where(STOCK.c.name == name).values(quantity=quantity))


def _add_reservation(
    tx: sa.Connection, order: OrderPlaced, decision: domain.Reserved | domain.Refused
) -> None:
    row = {
        "order_id": order.order_id,
        "user_id": order.user_id,
        "items": json.dumps(order.items, sort_keys=True),
        "status": "failed" if isinstance(decision, domain.Refused) else "reserved",
        "reason": decision.reason if isinstance(decision, domain.Refused) else "",
    }
    tx.execute(sa.insert(RESERVATIONS).values(**row))
