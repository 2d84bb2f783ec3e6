"""Breaks: effects-once.

Stores the effect first, and the message's id in a transaction of its own behind that: what dies between the two
comes again, is new, and has its effect once more. No protocol event lies there, so that only a write point finds it
for sure.
"""

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import main
from campus_food.store import Store


class LateMarkingStore(Store):
    """Carries out, then marks."""

    def reserve(self, order: OrderPlaced) -> bool:
        """Decide the order, in the first of two transactions."""
        if self.handled(order.message_id, order.order_id):
            return False
        with self._engine.begin() as tx:
            self._carry_out(tx, order)
        with self._engine.begin() as tx:
            self._claim(tx, order)
        return True


if __name__ == "__main__":
    main(store=LateMarkingStore)
