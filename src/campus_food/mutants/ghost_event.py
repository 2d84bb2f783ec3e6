"""Breaks: effects-once.

Publishes the outcome, then commits what it tells of: what dies between the two has told of a reservation that there
is not. The order comes again and is answered under a new id. Seen in rails PR#51426.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from campus_food import domain
from campus_food.messages import Event, OrderPlaced, outcome
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import Link
from campus_food.store import Store, add_reservation, reservation_of


class TellingStore(Store):
    """Tells of an order while its transaction is open."""

    tell: Callable[[Event], None]

    def _record(
        self, tx: sa.Connection, order: OrderPlaced, decision: domain.Reserved | domain.Refused
    ) -> None:
        """Store what was decided, and tell it at once: the commit comes when this has returned."""
        add_reservation(tx, reservation_of(order, decision))
        self.tell(outcome(order, decision, str(uuid.uuid4()), datetime.now(UTC).isoformat()))


class GhostEvent(Inventory):
    """Publishes what its store tells."""

    def __init__(self, link: Link, store: TellingStore) -> None:
        super().__init__(link, store)
        store.tell = lambda event: self.publish(topology.OUTCOMES[event.kind], event)


if __name__ == "__main__":
    main(inventory=GhostEvent, store=TellingStore)
