"""What an order service remembers: for each idempotency key the one message that its order became."""

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from campus_food.database import Database
from campus_food.messages import PLACED, Event, OrderRequest, placed
from campus_food.schema import ORDERS


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order as it was stored: what was asked for, its message, and whether a broker confirmed that."""

    asked: OrderRequest
    event: Event
    confirmed: bool


class Orders(Database):
    """The database of one order service.

    Promise: a key stands for one order, one order id, one message id and one body, whatever crashes next and
    however many ask at once. Limits: keys are kept for ever, and are the callers' in common. Cost: two
    transactions an order, one before it is published and one after.
    """

    TABLES = (ORDERS,)

    def accept(self, asked: OrderRequest, key: str) -> Accepted:
        """Return what the key stands for: this order, unless the key was used before.

        Raises one of `TRANSIENT`, with nothing changed.
        """
        # The key's row decides: of two requests at once, the second meets the first one's, which is read below.
        with suppress(IntegrityError), self._engine.begin() as tx:
            self._insert(tx, asked, key)
        with self._engine.connect() as tx:
            row = tx.execute(sa.select(ORDERS).where(ORDERS.c.key == key)).one()
        return _accepted(row)

    def mark_confirmed(self, event: Event) -> None:
        """Remember that the broker has the message."""
        done = sa.update(ORDERS).where(ORDERS.c.message_id == event.message_id).values(confirmed=True)
        with self._engine.begin() as tx:
            tx.execute(done)

    def order(self, order_id: str) -> Accepted | None:
        """Return an order; None where there is none of this id."""
        with self._engine.connect() as tx:
            row = tx.execute(sa.select(ORDERS).where(ORDERS.c.order_id == order_id)).first()
        return None if row is None else _accepted(row)

    def _insert(self, tx: sa.Connection, asked: OrderRequest, key: str) -> None:
        order_id, message_id = str(uuid.uuid4()), str(uuid.uuid4())
        event = placed(asked, order_id, message_id, datetime.now(UTC).isoformat())
        row = {
            "key": key,
            "order_id": order_id,
            "user_id": asked.user_id,
            "items": json.dumps(asked.items),
            "message_id": message_id,
            "body": event.body,
            "confirmed": False,
        }
        tx.execute(sa.insert(ORDERS).values(**row))


def _accepted(row: Any) -> Accepted:
    asked = OrderRequest(row.user_id, json.loads(row.items))
    return Accepted(asked, Event(row.message_id, PLACED, row.order_id, row.body), row.confirmed)
