"""Breaks: effects-once.

The orders that were decided are in memory and nowhere else. A crash after the decision and before the
transaction with its offset makes the record come again, to a process that knows of nothing.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from campus_food.kafka.decisions import Decided, Placed
from campus_food.kafka.inventory import main
from campus_food.mutants.kafka_no_dedupe import Overwriting


class MemoryDecisions(Overwriting):
    """Recognises what this process has decided."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._seen: dict[str, Decided] = {}

    def _decide(
        self,
        tx: sa.Connection,
        batch: Sequence[Placed],
        stock: dict[str, int],
        known: dict[str, Decided],  # noqa: ARG002 - that is what is wrong
    ) -> tuple[list[Decided], list[Decided]]:
        """Decide what is new to this process."""
        return super()._decide(tx, batch, stock, self._seen)


if __name__ == "__main__":
    main(store=MemoryDecisions)
