"""Breaks: nothing-lost.

Stores what was decided first, and takes the stock in a transaction of its own behind that: what dies between the two
comes again, is known, is told, and its stock is never taken. No protocol event lies there, so that only a write point
finds it for sure. Seen in sidekiq-unique-jobs#339.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from campus_food.kafka.decisions import Decided, Decisions, Placed
from campus_food.kafka.inventory import main


class MarkingDecisions(Decisions):
    """Marks, then takes."""

    _due: tuple[Sequence[Decided], Mapping[str, int]] = ((), {})

    def decide(self, batch: Sequence[Placed], told: Mapping[int, int]) -> list[Decided]:
        """Decide a batch, and take the stock in the second of two transactions."""
        to_tell = super().decide(batch, told)
        with self._engine.begin() as tx:
            self._take(tx, *self._due)
        return to_tell

    def _keep(self, tx: sa.Connection, fresh: Sequence[Decided], stock: Mapping[str, int]) -> None:
        """Mark what is decided, in the first."""
        self._mark(tx, fresh)
        self._due = fresh, stock


if __name__ == "__main__":
    main(store=MarkingDecisions)
