"""Breaks: effects-once.

Only the last orders are looked at when a message comes: a copy that comes after more than so many others is
new again. Seen in outpost#539.
"""

import sqlalchemy as sa

from campus_food.database import Duplicate
from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.schema import RESERVATIONS
from campus_food.store import Store

# Usually thousands, or minutes. As small as this, it takes one message in between to show what is wrong.
WINDOW = 1


class WindowStore(Store):
    """Recognises what is among the last orders."""

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Raise `Duplicate` for one of the last orders."""
        latest = sa.select(RESERVATIONS.c.order_id).order_by(RESERVATIONS.c.number.desc()).limit(WINDOW)
        if order.order_id in tx.execute(latest).scalars().all():
            raise Duplicate(order.order_id)


if __name__ == "__main__":
    main(store=WindowStore)
