"""Breaks: poison-set-aside.

Poison is passed over and forgotten: nobody can look at it, or repair and repeat it.
"""

from collections.abc import Sequence

from confluent_kafka import Message

from campus_food.kafka.decisions import Decided
from campus_food.kafka.inventory import Inventory, Poison, main


class PoisonDropped(Inventory):
    """Has done with it."""

    def tell(self, records: Sequence[Message], decided: Sequence[Decided], _poison: Sequence[Poison]) -> None:
        """Go on behind it, as if it had been handled."""
        super().tell(records, decided, ())


if __name__ == "__main__":
    main(inventory=PoisonDropped)
