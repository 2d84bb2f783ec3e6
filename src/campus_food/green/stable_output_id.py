"""Correct: the outcome's id follows from the order's; after a crash it may be published twice, as the same one."""

import uuid

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.store import Store

SPACE = uuid.UUID("0b6f3c0a-7a0e-4f3b-9d5e-20260217ca11")


class StableIds(Store):
    """Computes what the reference draws."""

    def _new_id(self, order: OrderPlaced) -> str:
        return str(uuid.uuid5(SPACE, order.order_id))


if __name__ == "__main__":
    main(store=StableIds)
