"""Breaks: backs-off.

Never gives up: while a dependency fails, every caller waits, and every order that waits goes on asking.
"""

from tenacity.stop import stop_base, stop_never

from campus_food.rest.order import Order, main


class EndlessRetry(Order):
    """Believes that it will work in the end."""

    def last_attempt(self) -> stop_base:
        """Never give up."""
        return stop_never


if __name__ == "__main__":
    main(order=EndlessRetry)
