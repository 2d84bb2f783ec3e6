"""The synchronous notification service: `python -m campus_food.rest.notification`.

For each request one database transaction: counted, the key and the confirmation written down. A request that
comes again under its key changes nothing and gets the same answer.
"""

import logging
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food import injection
from campus_food.messages import RESERVED, Outcome, parse_outcome
from campus_food.rest.sent import Sent
from campus_food.rest.serving import Serving
from campus_food.rest.web import seen_route, work_route
from campus_food.service import NOTIFICATION, run
from campus_food.web import notification_routes

log = logging.getLogger(__name__)


def read(body: bytes, key: str) -> Outcome:
    """Read what is to be told: no other order than a reserved one gets this far."""
    return parse_outcome(RESERVED, body, key)


class Notification(Serving):
    """Sends a confirmation for each reserved order."""

    def __init__(self, permitted: bool, store: Sent) -> None:
        super().__init__(permitted, store)
        self.store = store

    def check(self, body: bytes, key: str) -> None:
        """Raise what `send` would raise for a request that is to be refused."""
        self.store.check(read(body, key))

    def send(self, body: bytes, key: str, counted: bool) -> Response:
        """Answer `POST /send`; called from the threads of requests."""
        told = read(body, key)
        context = {"order_id": told.order_id, "message_id": key}
        if self.store.deliver(told, counted=counted):
            log.info("Sent to %s: %s for order %s", told.user_id, told.kind, told.order_id, extra=context)
        else:
            log.info("Message %s already processed, skipping (idempotency)", key, extra=context)
        return JSONResponse({"status": "sent", "order_id": told.order_id})


def routes(store: Sent, notification: Notification) -> Sequence[Route]:
    """Send, and show what was sent."""
    return [
        work_route("/send", store, notification.check, notification.send, permitted=notification.permitted),
        seen_route(store),
        *notification_routes(store, notification),
    ]


def main(notification: type[Notification] = Notification, store: type[Sent] = Sent) -> None:
    """Run the service until SIGTERM."""
    run(NOTIFICATION, injection.allowed, notification, store, routes)


if __name__ == "__main__":
    main()
