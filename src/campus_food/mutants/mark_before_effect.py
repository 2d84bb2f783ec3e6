"""Breaks: nothing-lost.

Stores the message's id first, and its effect in a transaction of its own behind that: what dies between the two
comes again, is recognised, and never has its effect. No protocol event lies there, so that only a write point finds
it for sure. Seen in sidekiq-unique-jobs#339.
"""

from campus_food.database import Duplicate
from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.store import Store


class MarkingStore(Store):
    """Marks, then carries out."""

    def reserve(self, order: OrderPlaced) -> bool:
        """Decide the order, in the second of two transactions."""
        try:
            with self._engine.begin() as tx:
                self._claim(tx, order)
        except Duplicate:
            return False
        with self._engine.begin() as tx:
            self._carry_out(tx, order)
        return True


if __name__ == "__main__":
    main(store=MarkingStore)
