"""Orders that came together, decided in one transaction: the database is flushed to the disk once for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from campus_food import domain
from campus_food.database import insert_many, select_in
from campus_food.messages import Event, OrderPlaced, outcome
from campus_food.schema import INBOX, OUTBOX, RESERVATIONS
from campus_food.store import Store, items_text, keep_left, reservation_of, stock_of, write_published

# It changes nothing, and takes the lock under which in SQLite everything below is read.
_LOCK = sa.delete(INBOX).where(sa.false())


class AheadStore(Store):
    """Decides orders ahead of the moment at which they are handled, one by one, as ever.

    Promise: that of `Store`, for each of them. Limits: what is not decided ahead gets of the stock what these leave,
    even where it came before some of them. Cost: one transaction, and one flush to the disk, for all.
    """

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        # What is to be told of those that were not handled yet, by the ids of message and order.
        self._ahead: dict[tuple[str, str], Event] = {}

    def reserve_ahead(self, orders: Sequence[OrderPlaced]) -> None:
        """Decide what is new of these orders.

        Raises one of `TRANSIENT`, or `IntegrityError` where another instance decided a copy at this moment: with
        nothing changed.
        """
        written = [*self._confirmed]
        with self._engine.begin() as tx:
            tx.execute(_LOCK)
            write_published(tx, written)
            fresh = [*_fresh(tx, orders)]
            # In one order, so that of two instances with the same messages none waits for the other in a circle.
            insert_many(tx, INBOX, sorted((order.message_id, order.order_id) for order in fresh))
            outcomes = self._decide_all(tx, fresh)
        self._confirmed.difference_update(written)
        self._ahead.update(outcomes)

    def forget_ahead(self) -> None:
        """Forget what was decided ahead: what was fetched with a link that is lost comes again, and is a duplicate."""
        self._ahead.clear()

    def reserve(self, order: OrderPlaced) -> bool:
        """Return True for what was decided ahead, the first time; decide what was not."""
        decided = self._ahead.pop((order.message_id, order.order_id), None)
        if decided is None:
            return super().reserve(order)
        self._outcome = decided
        return True

    def _decide_all(
        self, tx: sa.Connection, orders: Sequence[OrderPlaced]
    ) -> Mapping[tuple[str, str], Event]:
        stock = stock_of(tx, {name for order in orders for name in order.items})
        left: dict[str, int] = {}
        reservations, events = [], dict[tuple[str, str], Event]()
        for order in orders:
            decision = domain.reserve(stock, order.items)
            if isinstance(decision, domain.Reserved):
                stock.update(decision.left)
                left.update(decision.left)
            made = reservation_of(order, decision)
            reservations.append(
                (made.order_id, made.user_id, items_text(made.items), made.status, made.reason)
            )
            at = datetime.now(UTC).isoformat()
            events[order.message_id, order.order_id] = outcome(order, decision, self._new_id(order), at)
        keep_left(tx, left)
        insert_many(tx, RESERVATIONS, reservations)
        rows = [(told.message_id, told.kind, told.order_id, told.body, False) for told in events.values()]
        insert_many(tx, OUTBOX, rows)
        return events


def _fresh(tx: sa.Connection, orders: Sequence[OrderPlaced]) -> Iterator[OrderPlaced]:
    """Yield the orders that were not decided before, each once."""
    messages = {row.message_id for row in select_in(tx, INBOX, "message_id", [o.message_id for o in orders])}
    known = {row.order_id for row in select_in(tx, INBOX, "order_id", [o.order_id for o in orders])}
    for order in orders:
        if order.message_id not in messages and order.order_id not in known:
            messages.add(order.message_id)
            known.add(order.order_id)
            yield order
