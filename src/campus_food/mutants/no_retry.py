"""Breaks: backs-off.

Gives up at the first failure: what would have worked half a second later becomes the caller's problem.
"""

from tenacity.stop import stop_after_attempt, stop_base

from campus_food.rest.order import Order, main


class NoRetry(Order):
    """Takes the first failure for the last."""

    def last_attempt(self) -> stop_base:
        """Give up after one attempt, however many there should be."""
        return stop_after_attempt(1)


if __name__ == "__main__":
    main(order=NoRetry)
