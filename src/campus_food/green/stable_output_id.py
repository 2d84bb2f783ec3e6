"""Correct: the outcome's id follows from the order's; after a crash it may be published twice, as the same one."""

import uuid

import sqlalchemy as sa

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.schema import OUTBOX
from campus_food.store import Store

SPACE = uuid.UUID("0b6f3c0a-7a0e-4f3b-9d5e-20260217ca11")


class StableIds(Store):
    """Computes what the reference draws."""

    def _carry_out(self, tx: sa.Connection, order: OrderPlaced) -> None:
        super()._carry_out(tx, order)
        stable = str(uuid.uuid5(SPACE, order.order_id))
        (body, drawn) = tx.execute(
            sa.select(OUTBOX.c.body, OUTBOX.c.message_id).where(OUTBOX.c.order_id == order.order_id)
        ).one()
        changed = {"message_id": stable, "body": body.replace(drawn, stable)}
        tx.execute(sa.update(OUTBOX).where(OUTBOX.c.message_id == drawn).values(**changed))


if __name__ == "__main__":
    main(store=StableIds)
