"""Breaks: backlog-drains.

Fetches whatever there is, and works on the newest first: while fresh messages come, those that have waited
longest wait on.

It takes its time over each, so that the backlog is not done with before the fresh messages come.
"""

from dataclasses import replace

from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import Link
from campus_food.store import Store

PREFETCH = 200
PAUSE = 0.05  # seconds


class LifoDrain(Inventory):
    """Keeps a stack of what it has fetched."""

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(replace(link, prefetch=PREFETCH), store)
        self._stack: list[Delivery] = []

    def serve(self) -> None:
        """Consume; what was fetched over an earlier link comes again over this one."""
        self._stack.clear()
        super().serve()

    def delivered(self, delivery: Delivery) -> None:
        """Put it on top."""
        self._stack.append(delivery)

    def listen(self, seconds: float) -> None:
        """Take what the broker sends, and do one, the latest, for as long as there are any."""
        super().listen(seconds)
        while self._stack and not self.stopping.is_set():
            super().delivered(self._stack.pop())
            self.pause(PAUSE)
            super().listen(0)


if __name__ == "__main__":
    main(inventory=LifoDrain)
