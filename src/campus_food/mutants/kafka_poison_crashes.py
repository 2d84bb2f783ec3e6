"""Breaks: poison-set-aside.

Nobody catches the error of a record that cannot be read: it ends the process. Its offset was not committed, and
the restarted process meets it again. Seen in taskiq-aio-pika#35.
"""

from collections.abc import Sequence

from confluent_kafka import Message

from campus_food.kafka.decisions import Placed
from campus_food.kafka.inventory import Inventory, Poison, main
from campus_food.messages import BadMessage


class PoisonCrashes(Inventory):
    """Expects records to be what they should be."""

    def read(self, records: Sequence[Message]) -> tuple[list[Placed], list[Poison]]:
        """Let the error pass, up to where it ends the process."""
        orders, poison = super().read(records)
        for _record, reason in poison:
            raise BadMessage("order", reason)
        return orders, poison


if __name__ == "__main__":
    main(inventory=PoisonCrashes)
