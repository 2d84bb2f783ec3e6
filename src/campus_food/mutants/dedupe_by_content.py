"""Breaks: nothing-lost.

A message that is delivered again is compared with the orders that were decided before, by what is in it: the
user and the items. A second honest order of the same things by the same person is taken for the first one.

New messages are not compared, so that equal orders are fine as long as nothing happens. A crash, or a lost
link, gives back what was fetched, and the equal ones among it are gone.

It takes its time over each, so that the next one is fetched when it crashes: without it, that would be a race.
"""

import json

import sqlalchemy as sa

from campus_food.database import Duplicate
from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.schema import RESERVATIONS
from campus_food.store import Store

PAUSE = 0.03  # seconds


class ContentStore(Store):
    """Compares contents where the order is `again` there."""

    again = False

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Raise `Duplicate` for what is equal, too."""
        super()._claim(tx, order)
        column, items = RESERVATIONS.columns, json.dumps(order.items, sort_keys=True)
        equal = sa.and_(column["user_id"] == order.user_id, column["items"] == items)
        if self.again and tx.execute(sa.select(sa.literal(1)).where(equal)).first():
            raise Duplicate(items)


class Comparing(Inventory):
    """Tells its store what comes again."""

    store: ContentStore

    def handle(self, order: OrderPlaced, delivery: Delivery) -> None:
        """Do one order."""
        self.pause(PAUSE)
        self.store.again = delivery.redelivered
        super().handle(order, delivery)


if __name__ == "__main__":
    main(inventory=Comparing, store=ContentStore)
