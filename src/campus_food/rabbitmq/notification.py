"""The notification service on RabbitMQ: `python -m campus_food.rabbitmq.notification`.

For each outcome, in this order: one database transaction (inbox, confirmation); the outcome acknowledged.
"""

import logging

from campus_food.messages import Outcome, parse_outcome
from campus_food.notifications import Notifications
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.consumer import Consumer, Delivery
from campus_food.rabbitmq.link import Link, link_from
from campus_food.service import NOTIFICATION, run
from campus_food.web import notification_routes

KINDS = {queue: kind for kind, queue in topology.OUTCOMES.items()}

log = logging.getLogger(__name__)


class Notification(Consumer[Outcome]):
    """Sends a confirmation for each outcome of the queues."""

    queues = tuple(KINDS)

    def __init__(self, link: Link, store: Notifications) -> None:
        super().__init__(link, store)
        self.store = store

    def parse(self, delivery: Delivery) -> Outcome:
        """Read an outcome; its kind is that of the queue, since the body does not tell."""
        return parse_outcome(KINDS[delivery.queue], delivery.body, delivery.message_id)

    def work(self, told: Outcome) -> None:
        """Send; a duplicate changes nothing."""
        if self.retry(lambda: self.store.send(told)):
            context = {"order_id": told.order_id, "message_id": told.message_id}
            log.info("Sent to %s: %s for order %s", told.user_id, told.kind, told.order_id, extra=context)
        else:
            self.duplicate(told)


def main(notification: type[Notification] = Notification, store: type[Notifications] = Notifications) -> None:
    """Run the service until SIGTERM."""
    run(NOTIFICATION, link_from, notification, store, notification_routes)


if __name__ == "__main__":
    main()
