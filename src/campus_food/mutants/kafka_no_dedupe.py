"""Breaks: effects-once.

Every record is an order: what was decided is overwritten, so that a second copy, or a redelivery after a crash,
takes stock again.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from campus_food.kafka.decisions import DECISIONS, Decided, Decisions, Placed
from campus_food.kafka.inventory import main


class Overwriting(Decisions):
    """Can decide an order again."""

    def _keep(self, tx: sa.Connection, fresh: Sequence[Decided], stock: Mapping[str, int]) -> None:
        """Write over what is there."""
        latest = {decided.placed.order.order_id: decided for decided in fresh}
        tx.execute(sa.delete(DECISIONS).where(DECISIONS.c.order_id.in_([*latest])))
        super()._keep(tx, [*latest.values()], stock)


class ForgetfulDecisions(Overwriting):
    """Never recognises an order."""

    def _decide(
        self, tx: sa.Connection, batch: Sequence[Placed], stock: dict[str, int], known: dict[str, Decided]
    ) -> tuple[list[Decided], list[Decided]]:
        """Decide each record by itself."""
        fresh: list[Decided] = []
        for placed in batch:
            known.clear()
            fresh += super()._decide(tx, [placed], stock, known)[0]
        return fresh, fresh


if __name__ == "__main__":
    main(store=ForgetfulDecisions)
