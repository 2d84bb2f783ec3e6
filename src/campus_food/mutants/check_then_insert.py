"""Breaks: effects-once.

Asks whether the message was handled, and writes that down later, in another transaction. Of two copies that
two instances take at once, both are found to be new. Seen in NServiceBus#6583.

A race. What a lookup elsewhere would take, between the question and the writing, is a short wait here.
"""

import time

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.schema import INBOX
from campus_food.store import Store

LOOKUP = 0.02  # seconds


class CheckingStore(Store):
    """Asks first, writes later."""

    def reserve(self, order: OrderPlaced) -> bool:
        """Decide the order, unless it was decided a moment ago."""
        if self.handled(order.message_id, order.order_id):
            return False
        time.sleep(LOOKUP)
        return super().reserve(order)

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Write the inbox row; that it is there already is not expected, and not looked at."""
        row = {"message_id": order.message_id, "order_id": order.order_id}
        tx.execute(insert(INBOX).values(row).on_conflict_do_nothing())


if __name__ == "__main__":
    main(store=CheckingStore)
