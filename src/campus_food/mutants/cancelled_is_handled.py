"""Breaks: nothing-lost.

SIGTERM cuts off the work on the message in hand, and what is cut off counts as done: it is acknowledged. Seen
in faststream#3000.

It looks for the signal for a moment before it does anything: work is never so short elsewhere.
"""

import select
import signal
import socket
from collections.abc import Callable

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import Link
from campus_food.store import Store

MOMENT = 0.03  # seconds


class CancelledIsHandled(Inventory):
    """Stops in the middle."""

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(link, store)
        self._cancelled, self._signals = socket.socketpair()

    def start(self, on_failure: Callable[[], None]) -> None:
        """Begin, and have every signal told at once: `stopping` is set only when the HTTP server has ended."""
        self._signals.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)
        super().start(on_failure)

    def work(self, order: OrderPlaced) -> None:
        """Reserve and tell, unless that is cut off."""
        if not select.select([self._cancelled], [], [], MOMENT)[0]:
            super().work(order)


if __name__ == "__main__":
    main(inventory=CancelledIsHandled)
