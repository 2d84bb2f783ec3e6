"""Breaks: recovers.

After a lost link it connects again and does not subscribe again: heartbeats go to and fro, its health is fine,
and no message is ever delivered. Seen in celery#8030.
"""

from typing import Any

from campus_food.rabbitmq.inventory import Inventory, main


class SilentDeadConsumer(Inventory):
    """Believes that a subscription outlives its link."""

    subscribed = False

    def subscribe(self, channel: Any, queue: str) -> None:
        """Begin to consume, once."""
        if not self.subscribed:
            super().subscribe(channel, queue)
            self.subscribed = True


if __name__ == "__main__":
    main(inventory=SilentDeadConsumer)
