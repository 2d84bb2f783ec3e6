"""Breaks: poison-set-aside.

Poison is given back at once, comes at once again, and so on for ever: it costs as much as the machine has, and
nobody hears of it. Seen in rabbitmq-server#10300.
"""

from campus_food.messages import BadMessage
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main


class PoisonRequeue(Inventory):
    """Hopes for a better day."""

    def poison(self, delivery: Delivery, _bad: BadMessage) -> None:
        """Give it back."""
        delivery.requeue()


if __name__ == "__main__":
    main(inventory=PoisonRequeue)
