"""The synchronous inventory service: `python -m campus_food.rest.inventory`.

For each request one database transaction: counted, the key and the order written down, stock, reservation. A
request that comes again under its key changes nothing and gets the same answer.
"""

import logging
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food import injection
from campus_food.messages import parse_order
from campus_food.rest.reservations import RELEASED, Reservations
from campus_food.rest.serving import Serving
from campus_food.rest.web import plain_route, seen_route, work_route
from campus_food.service import INVENTORY, run
from campus_food.store import RESERVED, Reservation
from campus_food.web import inventory_routes, problem

log = logging.getLogger(__name__)


class Inventory(Serving):
    """Reserves stock for orders, and takes it back."""

    def __init__(self, permitted: bool, store: Reservations) -> None:
        super().__init__(permitted, store)
        self.store = store

    def check(self, body: bytes, key: str) -> None:
        """Raise what `reserve` would raise for a request that is to be refused."""
        self.store.check(parse_order(body, key))

    def reserve(self, body: bytes, key: str, counted: bool) -> Response:
        """Answer `POST /reserve`; called from the threads of requests."""
        order = parse_order(body, key)
        found = self.store.take(order, counted=counted)
        log.info("Order %s: %s", found.order_id, found.status, extra=_context(key, found))
        if found.status == RESERVED:
            return JSONResponse({"status": RESERVED, "order_id": found.order_id})
        reason = "its reservation was released" if found.status == RELEASED else found.reason
        return problem(409, "Not reserved", reason, order_id=found.order_id, outcome=found.status)

    def release(self, body: bytes, key: str) -> Response:
        """Answer `POST /release`; called from the threads of requests."""
        found = self.store.release(parse_order(body, key))
        log.info("Order %s: %s", found.order_id, found.status, extra=_context(key, found))
        return JSONResponse({"status": found.status, "order_id": found.order_id})


def _context(key: str, found: Reservation) -> dict[str, str]:
    return {"order_id": found.order_id, "message_id": key, "reason": found.reason}


def routes(store: Reservations, inventory: Inventory) -> Sequence[Route]:
    """Reserve, release, and show what came of it."""
    return [
        work_route("/reserve", store, inventory.check, inventory.reserve, permitted=inventory.permitted),
        plain_route("/release", inventory.release),
        seen_route(store),
        *inventory_routes(store, inventory),
    ]


def main(inventory: type[Inventory] = Inventory, store: type[Reservations] = Reservations) -> None:
    """Run the service until SIGTERM."""
    run(INVENTORY, injection.allowed, inventory, store, routes)


if __name__ == "__main__":
    main()
