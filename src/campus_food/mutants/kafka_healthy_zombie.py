"""Breaks: tells-health.

Whoever asks for its health hears that the HTTP server is there, whatever became of the consumer. Seen in
GinkGO#6982.
"""

from campus_food.kafka.inventory import Inventory, main


class HealthyZombie(Inventory):
    """Always says that it is fine."""

    def health(self) -> None:
        """Tell of no problem."""


if __name__ == "__main__":
    main(inventory=HealthyZombie)
