"""Breaks: poison-set-aside.

Nobody catches the error of a message that cannot be read: it ends the process. The broker delivers the message
again, and the restarted process meets it again. Seen in taskiq-aio-pika#35.
"""

from campus_food.messages import BadMessage
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main


class PoisonCrashes(Inventory):
    """Expects messages to be what they should be."""

    def poison(self, _delivery: Delivery, bad: BadMessage) -> None:
        """Let the error pass, up to where it ends the process."""
        raise bad


if __name__ == "__main__":
    main(inventory=PoisonCrashes)
