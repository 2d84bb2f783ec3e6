"""Breaks: poison-set-aside.

Attempts are counted in memory: the count of a message that crashes the process dies with it, and begins at one
each time. Seen in dramatiq#213.
"""

from collections import Counter

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import Link
from campus_food.store import Store


class AttemptsInMemory(Inventory):
    """Counts for as long as it lives."""

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(link, store)
        self._begun: Counter[str] = Counter()

    def begin(self, order: OrderPlaced, delivery: Delivery) -> int:
        """Return which attempt of this process it is."""
        if not delivery.redelivered:
            return 1
        # As in the reference, a first attempt is not counted: the second one counts for both.
        self._begun[order.message_id] = max(1, self._begun[order.message_id]) + 1
        return self._begun[order.message_id]


if __name__ == "__main__":
    main(inventory=AttemptsInMemory)
