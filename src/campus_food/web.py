"""What the services answer over HTTP: their health, and the effects of what they handled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food.database import TRANSIENT
from campus_food.notifications import Notifications
from campus_food.store import Store
from campus_food.worker import Worker

HEALTH_AT_ONCE = 4


def make_app(worker: Worker, routes: Sequence[Route]) -> Starlette:
    """Build the application of a service: its routes, and its health."""
    # Health has threads of its own, so that it answers while every other one waits for a database; the others
    # are functions, which run in threads, so that a slow database holds up nothing else.
    looks = CapacityLimiter(HEALTH_AT_ONCE)

    async def health(_request: Request) -> Response:
        reason = await run_sync(worker.health, limiter=looks)
        if reason is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)

    handlers: dict[Any, Callable[[Request, Exception], Response]] = dict.fromkeys(TRANSIENT, _later)
    return Starlette(routes=[Route("/health", health), *routes], exception_handlers=handlers)


def problem(status: int, title: str, detail: str, **more: str) -> Response:
    """Build a problem document (RFC 9457)."""
    return document(problem_content(status, title, detail, **more))


def problem_content(status: int, title: str, detail: str, **more: str) -> dict[str, Any]:
    """Build what a problem document says."""
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


def document(content: Mapping[str, Any]) -> Response:
    """Answer with a problem document."""
    return JSONResponse(content, status_code=content["status"], media_type="application/problem+json")


def inventory_routes(store: Store, _worker: Worker) -> list[Route]:
    """Show the stock, and what became of orders."""

    def stock(_request: Request) -> Response:
        return JSONResponse(store.stock())

    def reservation(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        found = store.reservation(order_id)
        return unknown("order", order_id) if found is None else JSONResponse(asdict(found))

    def reservations(request: Request) -> Response:
        user_id = request.path_params["user_id"]
        found = store.reservations_of(user_id)
        # Without the order id, which is made by the service: what is left is the same in every run.
        shown = [{"status": each.status, "items": each.items, "reason": each.reason} for each in found]
        return JSONResponse(shown) if shown else unknown("user", user_id)

    return [
        Route("/stock", stock),
        Route("/users/{user_id:path}/reservations", reservations),
        Route("/reservations/{order_id:path}", reservation),
    ]


def notification_routes(store: Notifications, _worker: Worker) -> list[Route]:
    """Show what was sent, by order and by user."""

    def of_order(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        shown = [asdict(each) for each in store.of_order(order_id)]
        return JSONResponse(shown) if shown else unknown("order", order_id)

    def of_user(request: Request) -> Response:
        user_id = request.path_params["user_id"]
        found = store.of_user(user_id)
        shown = [{"kind": each.kind, "items": each.items, "reason": each.reason} for each in found]
        return JSONResponse(shown) if shown else unknown("user", user_id)

    return [
        Route("/users/{user_id:path}/notifications", of_user),
        Route("/notifications/{order_id:path}", of_order),
    ]


def unknown(what: str, name: str) -> Response:
    """Answer that there is nothing of this name."""
    return JSONResponse({"error": f"unknown-{what}", f"{what}_id": name}, status_code=404)


def _later(_request: Request, _error: Exception) -> Response:
    return problem(503, "Unavailable", "the database is locked or away; ask again")
