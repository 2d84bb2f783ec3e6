"""Breaks: poison-set-aside.

Poison is acknowledged and forgotten: nobody can look at it, or repair and repeat it.
"""

from campus_food.messages import BadMessage
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main


class PoisonDropped(Inventory):
    """Has done with it."""

    def poison(self, delivery: Delivery, _bad: BadMessage) -> None:
        """Settle it, as if it had been handled."""
        delivery.ack()


if __name__ == "__main__":
    main(inventory=PoisonDropped)
