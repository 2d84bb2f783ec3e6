"""Breaks: poison-set-aside.

A record that cannot be read is tried again until it can be: what lies behind it in its partition waits for ever.
Seen in spring-kafka#1287, where it was the consumer that met undecodable bytes before any handler of errors did.
"""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Message

from campus_food.kafka.clients import Place
from campus_food.kafka.inventory import Inventory, main

DELAY = 0.05  # seconds between two tries


class PoisonBlocksPartition(Inventory):
    """Does not get past it."""

    def handle(self, records: Sequence[Message]) -> None:
        """Do what lies before it in its partition, and go back to it."""
        _orders, poison = self.read(records)
        first: dict[Place, Any] = {}
        for record, _reason in poison:
            first.setdefault((str(record.topic()), record.partition() or 0), record)
        before = [each for each in records if not _behind(each, first)]
        if before:
            super().handle(before)
        if first:
            self.rewind([*first.values()])
            self.pause(DELAY)


def _behind(record: Any, first: dict[Place, Any]) -> bool:
    """Tell whether a record is the first poison of its partition, or lies behind it."""
    poison = first.get((record.topic(), record.partition()))
    return poison is not None and bool(record.offset() >= poison.offset())


if __name__ == "__main__":
    main(inventory=PoisonBlocksPartition)
