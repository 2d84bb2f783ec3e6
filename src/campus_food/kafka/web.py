"""What the services on Kafka answer over HTTP, beside their health."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from confluent_kafka import KafkaException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from campus_food.kafka.lag import Ends, furthest, lag
from campus_food.web import problem


def inventory_routes(store: Any, worker: Any) -> list[Route]:
    """Show the stock, what became of orders, and how far behind the group is."""
    broker = Ends(worker.cluster)

    def stock(_request: Request) -> Response:
        return JSONResponse(store.stock())

    def reservation(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        found = store.reservation(order_id)
        return unknown(order_id) if found is None else JSONResponse(asdict(found))

    def behind(_request: Request) -> Response:
        places = broker.partitions(worker.topics)
        reached = furthest(broker.committed(places), worker.positions())
        return JSONResponse(lag(broker.ends(places), reached))

    return [
        Route("/stock", stock),
        Route("/lag", honest(behind)),
        Route("/reservations/{order_id:path}", reservation),
    ]


def honest(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Say so where the broker does not answer."""

    def answered(request: Request) -> Response:
        try:
            return answer(request)
        except (KafkaException, TimeoutError) as error:
            return problem(503, "Unavailable", f"the broker did not answer: {error}")

    return answered


def unknown(order_id: str) -> Response:
    """Answer for an order that nobody knows."""
    return JSONResponse({"error": "unknown-order", "order_id": order_id}, status_code=404)
