"""Breaks: nothing-lost.

Commits to the database, then tells, and nothing joins the two: what a crash in between left untold stays so.
The record comes again, its order is recognised, and its outcome is never told. Seen in django-jaiminho#216.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from campus_food.kafka.decisions import Decided, Decisions, Placed
from campus_food.kafka.inventory import main


class DualWrite(Decisions):
    """Tells what it has just decided, and nothing else."""

    def _decide(
        self, tx: sa.Connection, batch: Sequence[Placed], stock: dict[str, int], known: dict[str, Decided]
    ) -> tuple[list[Decided], list[Decided]]:
        """Take every order that is known for a duplicate, from whatever place it comes."""
        fresh, _ = super()._decide(tx, batch, stock, known)
        return fresh, fresh


if __name__ == "__main__":
    main(store=DualWrite)
