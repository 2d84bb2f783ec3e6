"""Breaks: backs-off.

Tries again at once: a dependency that cannot keep up is asked three times as much. Seen in amqplib#293.
"""

from tenacity.wait import wait_base, wait_none

from campus_food.rest.order import Order, main


class HotRetry(Order):
    """Leaves nobody time to get well."""

    def backoff(self) -> wait_base:
        """Wait for nothing between two attempts."""
        return wait_none()


if __name__ == "__main__":
    main(order=HotRetry)
