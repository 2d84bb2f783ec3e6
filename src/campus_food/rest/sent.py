"""What the synchronous notification service remembers: confirmations, each sent once."""

from typing import ClassVar

import sqlalchemy as sa

from campus_food.messages import Outcome
from campus_food.notifications import Notification, Notifications, sent_in
from campus_food.rest.seen import Seeing
from campus_food.schema import NOTIFICATION_INBOX, NOTIFICATIONS, SEEN
from campus_food.web_order import KeyTaken

_CLAIM = sa.text("INSERT INTO notification_inbox (message_id) VALUES (:message_id) ON CONFLICT DO NOTHING")


class Sent(Seeing, Notifications):
    """The database of one notification service over HTTP; the idempotency key of a request is its message id.

    Promise, limits and cost are those of `Notifications`.
    """

    SERVICE = "notification"
    TABLES: ClassVar = (NOTIFICATION_INBOX, NOTIFICATIONS, SEEN)

    def deliver(self, told: Outcome, *, counted: bool) -> bool:
        """Store the confirmation; False where it was sent before.

        `counted` says that this request was seen already. Raises `KeyTaken` where the key stands for something
        else, or one of `TRANSIENT` with nothing changed.
        """
        with self._engine.begin() as tx:
            if not counted:
                self.count(tx, told.message_id)
            if tx.execute(_CLAIM, {"message_id": told.message_id}).rowcount == 1:
                self._carry_out(tx, told)
                return True
            _same(tx, told)
            return False

    def check(self, told: Outcome) -> None:
        """Raise `KeyTaken` where the key stands for something else; change nothing."""
        known = sa.select(NOTIFICATION_INBOX).where(NOTIFICATION_INBOX.c.message_id == told.message_id)
        with self._engine.connect() as tx:
            if tx.execute(known).first() is not None:
                _same(tx, told)


def _same(tx: sa.Connection, told: Outcome) -> None:
    """Raise `KeyTaken` where this was never sent, although its key is known."""
    same = Notification(told.order_id, told.user_id, told.kind, told.items, told.reason)
    if same not in sent_in(tx, NOTIFICATIONS.c.order_id == told.order_id):
        raise KeyTaken(told.message_id)
