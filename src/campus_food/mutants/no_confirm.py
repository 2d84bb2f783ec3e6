"""Breaks: accepts-honestly.

Publishes on a channel without confirms: what was written to the socket counts as sent, and is answered with
200. If the link is cut before the broker has read it, the order is gone. Seen in celery#5410.
"""

from campus_food.rabbitmq.order import Order, main


class NoConfirm(Order):
    """Takes the sending for the arrival."""

    def connected(self) -> None:
        """Publish on another channel, which nobody put into confirm mode."""
        self._publishing = self._connection.channel()


if __name__ == "__main__":
    main(order=NoConfirm)
