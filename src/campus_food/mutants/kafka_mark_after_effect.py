"""Breaks: effects-once.

Takes the stock first, and stores what was decided in a transaction of its own behind that: what dies between the two
comes again, is new, and its stock is taken once more. No protocol event lies there, so that only a write point finds
it for sure.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from campus_food.kafka.decisions import Decided, Decisions, Placed
from campus_food.kafka.inventory import main


class LateMarkingDecisions(Decisions):
    """Takes, then marks."""

    _due: Sequence[Decided] = ()

    def decide(self, batch: Sequence[Placed], told: Mapping[int, int]) -> list[Decided]:
        """Decide a batch, and mark it in the second of two transactions."""
        to_tell = super().decide(batch, told)
        with self._engine.begin() as tx:
            self._mark(tx, self._due)
        return to_tell

    def _keep(self, tx: sa.Connection, fresh: Sequence[Decided], stock: Mapping[str, int]) -> None:
        """Take the stock, in the first."""
        self._take(tx, fresh, stock)
        self._due = fresh


if __name__ == "__main__":
    main(store=LateMarkingDecisions)
