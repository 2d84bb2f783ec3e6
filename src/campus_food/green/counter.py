"""Correct: stock is counted down in place, whatever the order of the orders, and the inbox knows which did."""

import sqlalchemy as sa

from campus_food import domain
from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.schema import STOCK
from campus_food.store import Store


class Counts(Store):
    """Subtracts, and never writes what it has read."""

    def _carry_out(self, tx: sa.Connection, order: OrderPlaced) -> None:
        found = {row.name: row.quantity for row in tx.execute(sa.select(STOCK))}
        decision = domain.reserve(found, order.items)
        if isinstance(decision, domain.Reserved):
            for name, number in order.items.items():
                left = STOCK.c.quantity - number
                tx.execute(sa.update(STOCK).where(STOCK.c.name == name).values(quantity=left))
        self._record(tx, order, decision)


if __name__ == "__main__":
    main(store=Counts)
