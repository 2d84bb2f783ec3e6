"""Breaks: effects-once.

Its producers write each order once, in transactions, so that it need not tell orders apart, but only records that come
again. But it reads what is not committed: an order that was aborted, and sent again, counts twice.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from campus_food.kafka.decisions import Decided, Placed
from campus_food.kafka.inventory import Inventory, main
from campus_food.mutants.kafka_no_dedupe import Overwriting


class ByPlace(Overwriting):
    """Recognises a record, and no copy of it."""

    def _decide(
        self, tx: sa.Connection, batch: Sequence[Placed], stock: dict[str, int], known: dict[str, Decided]
    ) -> tuple[list[Decided], list[Decided]]:
        """Decide what lies at another place."""
        fresh: list[Decided] = []
        to_tell: list[Decided] = []
        for placed in batch:
            before = known.get(placed.order.order_id)
            if before is not None and before.place != (placed.partition, placed.offset):
                del known[placed.order.order_id]
            decided, told = super()._decide(tx, [placed], stock, known)
            fresh += decided
            to_tell += told
        return fresh, to_tell


class ReadsUncommitted(Inventory):
    """Does not wait for the end of a transaction."""

    def client_settings(self) -> dict[str, Any]:
        """Return the settings of the client."""
        return super().client_settings() | {"isolation.level": "read_uncommitted"}


if __name__ == "__main__":
    main(inventory=ReadsUncommitted, store=ByPlace)
