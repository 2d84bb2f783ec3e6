"""What every service answers over HTTP: its health, and the effects of the orders that it handled."""

from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food.store import Store
from campus_food.worker import Worker


def make_app(store: Store, worker: Worker) -> Starlette:
    """Build the application of an inventory service."""

    # Health is a coroutine, so that it answers while every thread waits for a database; the others are
    # functions, which run in threads, so that a slow database holds up nothing else.
    async def health(_request: Request) -> Response:
        if worker.problem is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable", "reason": worker.problem}, status_code=503)

    def stock(_request: Request) -> Response:
        return JSONResponse(store.stock())

    def reservation(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        found = store.reservation(order_id)
        if found is None:
            return JSONResponse({"error": "unknown-order", "order_id": order_id}, status_code=404)
        return JSONResponse(asdict(found))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/stock", stock),
            Route("/reservations/{order_id:path}", reservation),
        ]
    )
