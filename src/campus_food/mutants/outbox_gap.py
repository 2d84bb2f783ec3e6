"""Breaks: nothing-lost.

The outbox is read from where it was read to: what has a higher number than the last outcome that was published. But a
row gets its number when it is written, and is seen when it is committed. Of two writers, the one that commits late is
passed by the other, and what it has to tell is never told. Seen in kamu-cli#1398.

It takes a database with several writers, such as PostgreSQL. Where one waits for the other, as in SQLite, rows are
seen in the order of their numbers, and nothing is wrong.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from campus_food.messages import Event
from campus_food.rabbitmq.inventory import main
from campus_food.schema import OUTBOX
from campus_food.store import Store

_LAST = sa.select(sa.func.coalesce(sa.func.max(OUTBOX.c.number), 0)).where(OUTBOX.c.published)
_BEHIND = (
    sa.select(OUTBOX.c.message_id, OUTBOX.c.kind, OUTBOX.c.order_id, OUTBOX.c.body)
    .where(OUTBOX.c.number > _LAST.scalar_subquery())
    .order_by(OUTBOX.c.number)
)


class PassingStore(Store):
    """Keeps a place in the outbox."""

    def unpublished(self, order_id: str | None = None) -> list[Event]:  # noqa: ARG002 - the place says which
        """List the outcomes behind the last one that was published."""
        with self._engine.connect() as tx:
            return [Event(*row) for row in tx.execute(_BEHIND)]

    def mark_published(self, message_ids: Iterable[str]) -> None:
        """Move the place on, for every instance."""
        super().mark_published(message_ids)
        self.write_down()


if __name__ == "__main__":
    main(store=PassingStore)
