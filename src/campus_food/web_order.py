"""What the order service answers over HTTP."""

import uuid
from dataclasses import asdict
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food.database import TRANSIENT
from campus_food.messages import (
    MAX_BODY,
    MAX_TEXT,
    BadMessage,
    OrderRequest,
    TooLarge,
    parse_request,
    storable,
)
from campus_food.orders import Accepted, Orders
from campus_food.web import problem

KEY = "Idempotency-Key"
AGAIN = f"it is unknown whether the order was placed; repeat it with the same {KEY}"


class NotConfirmed(Exception):  # noqa: N818 - it names what is known of the order: nothing yet
    """No broker has answered for the message; it may be there all the same."""


class KeyTaken(Exception):  # noqa: N818 - it names what is wrong with the key
    """The idempotency key stands for another order."""


class Placing(Protocol):
    """What puts orders on the broker."""

    def place(self, asked: OrderRequest, key: str) -> Accepted:
        """Return once the order is there; raises `KeyTaken` or `NotConfirmed`."""


def order_routes(store: Orders, placing: Placing) -> list[Route]:
    """Take orders, and show them."""

    async def place(request: Request) -> Response:
        try:
            asked, key = parse_request(await read_body(request)), read_key(request)
            accepted = await run_in_threadpool(placing.place, asked, key)
        except Exception as error:  # noqa: BLE001 - one that has no answer is raised again
            return refusal(error)
        return JSONResponse({"status": "success", "order_id": accepted.event.order_id})

    def order(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        found = store.order(order_id)
        if found is None:
            return JSONResponse({"error": "unknown-order", "order_id": order_id}, status_code=404)
        return JSONResponse({"order_id": order_id, **asdict(found.asked), "confirmed": found.confirmed})

    return [Route("/order", place, methods=["POST"]), Route("/orders/{order_id:path}", order)]


async def read_body(request: Request) -> bytes:
    """Read the body; raise `TooLarge`, with the rest left unread, where it is longer than any may be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise TooLarge("body", f"expected JSON of at most {MAX_BODY} bytes, found more")
    return body


def read_key(request: Request) -> str:
    """Return the caller's key; who gives none cannot repeat, and gets one that nobody knows."""
    return given_key(request) or str(uuid.uuid4())


def given_key(request: Request) -> str | None:
    """Return the caller's key, None where there is none; raises `BadMessage`."""
    key = request.headers.get(KEY)
    if key is not None and not storable(key):
        raise BadMessage(
            KEY, f"expected text of 1 to {MAX_TEXT} bytes in the header, found {ascii(key)[:60]}"
        )
    return key


def refusal(error: Exception) -> Response:
    """Return the answer that a failure has; raise it again where it has none."""
    match error:
        case TooLarge():
            return problem(413, "Too large", str(error), field=error.field)
        case BadMessage():
            return problem(400, "Not an order", str(error), field=error.field)
        case KeyTaken():
            return problem(422, "Key used before", f"{KEY}: it stands for another order", field=KEY)
        case NotConfirmed():
            return problem(503, "Not confirmed", f"{AGAIN} ({error})")
    if isinstance(error, TRANSIENT):
        return problem(503, "Unavailable", AGAIN)
    raise error
