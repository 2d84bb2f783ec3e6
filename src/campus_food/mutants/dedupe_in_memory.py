"""Breaks: effects-once.

The ids of handled messages are in memory and nowhere else. A crash after the work and before the
acknowledgement makes the broker deliver again, to a process that knows of nothing.
"""

import sqlalchemy as sa

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.store import Store


class MemoryStore(Store):
    """Recognises what this process has handled."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._seen: set[str] = set()

    def reserve(self, order: OrderPlaced) -> bool:
        """Decide the order, unless this process did."""
        if order.message_id in self._seen:
            return False
        super().reserve(order)
        self._seen.add(order.message_id)
        return True

    def _claim(self, tx: sa.Connection, order: OrderPlaced) -> None:
        """Write nothing down."""


if __name__ == "__main__":
    main(store=MemoryStore)
