"""What a notification service remembers: inbox and confirmations, changed in one transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa

from campus_food.database import Duplicate, Inbox
from campus_food.messages import Outcome
from campus_food.schema import ATTEMPTS, NOTIFICATION_INBOX, NOTIFICATIONS

_ADD = sa.insert(NOTIFICATIONS)


@dataclass(frozen=True, slots=True)
class Notification:
    """One confirmation as it was sent; `kind` is that of the event that it tells of."""

    order_id: str
    user_id: str
    kind: str
    items: Mapping[str, int]
    reason: str


class Notifications(Inbox):
    """The database of one notification service.

    Promise: once `send` has returned, the confirmation is on disk, once, whatever crashes next. Limits: to
    send is to write a row here; a mail server would need an outbox, as inventory has one for its events.
    Cost: one transaction, and one flush to the disk, an outcome.
    """

    TABLES: ClassVar[Sequence[sa.Table]] = (ATTEMPTS, NOTIFICATION_INBOX, NOTIFICATIONS)
    HANDLED = NOTIFICATION_INBOX

    def send(self, told: Outcome) -> bool:
        """Store the confirmation of an outcome; False, with nothing changed, for a duplicate.

        Raises one of `TRANSIENT`, with nothing changed.
        """
        try:
            with self._engine.begin() as tx:
                self._claim(tx, told)  # first, for the same reason as in `Store.reserve`
                self._carry_out(tx, told)
        except Duplicate:
            return False
        return True

    def of_order(self, order_id: str) -> list[Notification]:
        """List what was sent about an order, oldest first."""
        return self._sent(NOTIFICATIONS.c.order_id == order_id)

    def of_user(self, user_id: str) -> list[Notification]:
        """List what was sent to a user, oldest first."""
        return self._sent(NOTIFICATIONS.c.user_id == user_id)

    def _sent(self, about: sa.ColumnElement[bool]) -> list[Notification]:
        with self._engine.connect() as tx:
            return sent_in(tx, about)

    def _claim(self, tx: sa.Connection, told: Outcome) -> None:
        """Write the inbox row; raise `Duplicate` where this message is there already."""
        self.claim(tx, message_id=told.message_id)

    def _carry_out(self, tx: sa.Connection, told: Outcome) -> None:
        row = {
            "order_id": told.order_id,
            "user_id": told.user_id,
            "kind": told.kind,
            "items": json.dumps(told.items, sort_keys=True),
            "reason": told.reason,
        }
        tx.execute(_ADD, row)


def sent_in(tx: sa.Connection, about: sa.ColumnElement[bool]) -> list[Notification]:
    """List what was sent, oldest first, as a transaction sees it."""
    wanted = sa.select(NOTIFICATIONS).where(about).order_by(NOTIFICATIONS.c.number)
    return [_notification(row) for row in tx.execute(wanted)]


def _notification(row: Any) -> Notification:
    return Notification(row.order_id, row.user_id, row.kind, json.loads(row.items), row.reason)
