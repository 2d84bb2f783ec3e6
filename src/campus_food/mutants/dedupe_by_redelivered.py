"""Breaks: effects-once.

Takes the redelivered flag for the sign of a duplicate: only where it is set is the inbox asked. A publisher
that sends again after an unknown confirm makes a second copy, and the broker delivers that for the first
time. Seen in spring-amqp PR#62.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.schema import INBOX
from campus_food.store import Store


class TrustingStore(Store):
    """Asks the inbox where the order `may_be_known`."""

    may_be_known = False

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Write the inbox row; take offence at one that is there only where one may be there."""
        if self.may_be_known:
            super()._claim(tx, order)
        else:
            row = {"message_id": order.message_id, "order_id": order.order_id}
            tx.execute(insert(INBOX).values(row).on_conflict_do_nothing())


class Trusting(Inventory):
    """Tells its store what the flag says."""

    store: TrustingStore

    def handle(self, order: OrderPlaced, delivery: Delivery) -> None:
        """Do one order, as new as it claims to be."""
        self.store.may_be_known = delivery.redelivered
        super().handle(order, delivery)


if __name__ == "__main__":
    main(inventory=Trusting, store=TrustingStore)
