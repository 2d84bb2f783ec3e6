"""Breaks: effects-once.

Every delivery is work: nothing is looked up or kept, so that a second copy, or a redelivery after a lost
acknowledgement, takes stock again and is answered under a new id.
"""

import sqlalchemy as sa

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.store import Store


class ForgetfulStore(Store):
    """Never recognises a message."""

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Let every delivery pass."""


if __name__ == "__main__":
    main(store=ForgetfulStore)
