"""Reads the records of both topics; what analytics and its replay have in common."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Message

from campus_food.kafka.clients import Cluster, Place
from campus_food.kafka.events import read_event, read_order
from campus_food.kafka.metrics import Fact, placed, told
from campus_food.messages import BadMessage

Poison = tuple[Message, str]


class Reader:
    """Knows which topic holds what."""

    def __init__(self, cluster: Cluster) -> None:
        self._says: dict[Any, Callable[[bytes | None], Fact | None]] = {
            cluster.orders: self.order,
            cluster.events: self.event,
        }

    def order(self, value: bytes | None) -> Fact | None:
        """Return what an order says."""
        return placed(read_order(value))

    def event(self, value: bytes | None) -> Fact | None:
        """Return what an event of the inventory says."""
        return told(read_event(value))

    def read(
        self, records: Sequence[Message], behind: Mapping[Place, int]
    ) -> tuple[list[Fact], list[Poison]]:
        """Return what the records say that were not read before, and those which nobody can read.

        `behind` are the offsets, by partition, from which on records are new.
        """
        facts: list[Fact] = []
        poison: list[Poison] = []
        says = self._says
        for record in records:
            topic: Any = record.topic()
            place: Any = (topic, record.partition())
            offset: Any = record.offset()
            if offset < behind.get(place, 0):
                continue
            try:
                fact = says[topic](record.value())
            except BadMessage as bad:
                poison.append((record, str(bad)))
            else:
                if fact is not None:
                    facts.append(fact)
        return facts, poison
