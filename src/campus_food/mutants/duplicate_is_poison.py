"""Breaks: poison-set-aside.

A duplicate is met as a violated constraint, and the error is treated like any other of a message that cannot
be handled: an innocent copy lands among the dead letters. Seen in wolverine#2639.
"""

from campus_food.messages import BadMessage, OrderPlaced
from campus_food.rabbitmq.inventory import Inventory, main


class DuplicateIsPoison(Inventory):
    """Sees a fault of the message in its second copy."""

    def duplicate(self, order: OrderPlaced) -> None:
        """Refuse the message."""
        raise BadMessage("message_id", f"expected one that is new, found {order.message_id}")


if __name__ == "__main__":
    main(inventory=DuplicateIsPoison)
