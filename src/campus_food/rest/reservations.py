"""What the synchronous inventory service remembers: reservations, each made and given back once."""

import json
from typing import ClassVar

import sqlalchemy as sa

from campus_food.messages import OrderPlaced
from campus_food.rest.seen import Seeing
from campus_food.schema import INBOX, RESERVATIONS, SEEN, STOCK
from campus_food.store import (
    RESERVED,
    Reservation,
    Store,
    add_reservation,
    decide,
    items_text,
    reservation_of,
)
from campus_food.web_order import KeyTaken

RELEASED = "released"

# With DO NOTHING instead of an error, the transaction goes on. It waits for another one with the same row.
_CLAIM = sa.text(
    "INSERT INTO inbox (message_id, order_id) VALUES (:message_id, :order_id) ON CONFLICT DO NOTHING"
)


class Reservations(Seeing, Store):
    """The database of one inventory service over HTTP; the idempotency key of a request is its message id.

    Promise: whatever crashes, and in whichever order `take` and `release` come and are repeated, an order
    holds its stock once, and none after its release. Limits: keys are kept for ever. Cost: one transaction,
    and one flush to the disk, a request.
    """

    SERVICE = "inventory"
    TABLES: ClassVar = (INBOX, STOCK, RESERVATIONS, SEEN)

    def take(self, order: OrderPlaced, *, counted: bool) -> Reservation:
        """Decide the order, unless it was decided before; return what became of it.

        `counted` says that this request was seen already. Raises `KeyTaken` where the key or the order id
        stands for something else, or one of `TRANSIENT` with nothing changed.
        """
        with self._engine.begin() as tx:
            if not counted:
                self.count(tx, order.message_id)
            if not _claim(tx, order):
                return _reservation(tx, order)
            made = reservation_of(order, decide(tx, order.items))
            add_reservation(tx, made)
        return made

    def check(self, order: OrderPlaced) -> None:
        """Raise `KeyTaken` where the key or the order id stands for something else; change nothing."""
        ids = (INBOX.c.message_id == order.message_id) | (INBOX.c.order_id == order.order_id)
        with self._engine.connect() as tx:
            if tx.execute(sa.select(INBOX).where(ids)).first() is not None:
                _reservation(tx, order)

    def release(self, order: OrderPlaced) -> Reservation:
        """Give back what the order holds, once; raises as `take` does.

        Where no reservation came yet, a tombstone takes its place, and the one that comes takes nothing.
        """
        with self._engine.begin() as tx:
            # To write first takes the lock; what a request at the same time has reserved is seen the second time.
            if not _give_back(tx, order) and not _bury(tx, order):
                _give_back(tx, order)
            return _reservation(tx, order)


def _claim(tx: sa.Connection, order: OrderPlaced) -> bool:
    """Write the inbox row; False where this key, or this order under another one, is there already."""
    ids = {"message_id": order.message_id, "order_id": order.order_id}
    return tx.execute(_CLAIM, ids).rowcount == 1


def _bury(tx: sa.Connection, order: OrderPlaced) -> bool:
    """Put a tombstone where a reservation would be; False where there is something."""
    if not _claim(tx, order):
        return False
    add_reservation(tx, Reservation(order.order_id, order.user_id, order.items, RELEASED, ""))
    return True


def _give_back(tx: sa.Connection, order: OrderPlaced) -> bool:
    """Put the pieces of a reservation back; False where there is none that holds any."""
    held = (
        RESERVATIONS.c.order_id == _order_of(order.message_id),
        RESERVATIONS.c.order_id == order.order_id,
        RESERVATIONS.c.status == RESERVED,
    )
    row = tx.execute(
        sa.update(RESERVATIONS).where(*held).values(status=RELEASED).returning(RESERVATIONS.c["items"])
    ).first()
    if row is None:
        return False
    for name, quantity in sorted(json.loads(row.items).items()):
        more = sa.update(STOCK).where(STOCK.c.name == name)
        tx.execute(more.values(quantity=STOCK.c.quantity + quantity))
    return True


def _reservation(tx: sa.Connection, order: OrderPlaced) -> Reservation:
    """Read what became of the order; raise `KeyTaken` where its key stands for another one."""
    wanted = sa.select(RESERVATIONS).where(RESERVATIONS.c.order_id == _order_of(order.message_id))
    row = tx.execute(wanted).first()
    if row is None or (row.order_id, row.user_id, row.items) != (
        order.order_id,
        order.user_id,
        items_text(order.items),
    ):
        raise KeyTaken(order.message_id)
    return Reservation(row.order_id, row.user_id, order.items, row.status, row.reason)


def _order_of(key: str) -> sa.ScalarSelect[str]:
    return sa.select(INBOX.c.order_id).where(INBOX.c.message_id == key).scalar_subquery()
