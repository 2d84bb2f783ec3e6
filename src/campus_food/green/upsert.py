"""Correct: an order is written by its id, and written again it is the same; no inbox is kept.

Stock is no number that is counted down but what the reservations leave of the opening stock.
"""

import json
from collections import Counter

import sqlalchemy as sa

from campus_food import domain
from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.schema import OUTBOX, RESERVATIONS, STOCK
from campus_food.store import Store


class Upserts(Store):
    """Puts the same row where the same row is."""

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Take the write lock; nothing else is needed."""
        tx.execute(
            sa.update(OUTBOX).where(OUTBOX.c.message_id == order.message_id).values(kind=OUTBOX.c.kind)
        )

    def _carry_out(self, tx: sa.Connection, order: OrderPlaced) -> None:
        known = tx.execute(sa.select(RESERVATIONS).where(RESERVATIONS.c.order_id == order.order_id)).first()
        if known is not None:
            return
        opening = {row.name: row.quantity for row in tx.execute(sa.select(STOCK))}
        taken = _taken(tx)
        left = {name: number - taken[name] for name, number in opening.items()}
        decision = domain.reserve({name: left[name] for name in order.items if name in left}, order.items)
        self._record(tx, order, decision)

    def handled(self, _message_id: str, order_id: str) -> bool:
        """Tell whether the order is written."""
        return self.reservation(order_id) is not None

    def stock(self) -> dict[str, int]:
        """Tell what the reservations leave."""
        opening = super().stock()
        with self._engine.connect() as tx:
            taken = _taken(tx)
        return {name: number - taken[name] for name, number in opening.items()}


def _taken(tx: sa.Connection) -> Counter[str]:
    """Count what the reservations take."""
    wanted = sa.select(RESERVATIONS).where(RESERVATIONS.c.status == "reserved")
    taken: Counter[str] = Counter()
    for row in tx.execute(wanted):
        taken.update(json.loads(row.items))
    return taken


if __name__ == "__main__":
    main(store=Upserts)
