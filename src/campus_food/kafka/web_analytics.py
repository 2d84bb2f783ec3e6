"""What analytics answers over HTTP: the report, the replay of it, single orders, and how far behind it is."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from campus_food.kafka import replay
from campus_food.kafka.lag import Ends, furthest, lag
from campus_food.kafka.metrics import named
from campus_food.kafka.report import Report
from campus_food.kafka.web import honest, unknown
from campus_food.web import problem

# Seconds that the live metrics may take to reach the end of the log, before a replay does without them.
CATCHING_UP = 30.0


def analytics_routes(_store: Any, worker: Any) -> list[Route]:
    """Make the routes of a worker with a `ledger`."""
    broker, ledger = Ends(worker.cluster), worker.ledger

    def report(_request: Request) -> Response:
        found, _ = ledger.snapshot()
        return JSONResponse({"report": found.figures, "digest": found.digest})

    def report_text(_request: Request) -> Response:
        found, _ = ledger.snapshot()
        return PlainTextResponse(f"{found.text}\n")

    def order(request: Request) -> Response:
        order_id = request.path_params["order_id"]
        ledger.refresh()
        minute = ledger.metrics.minutes.get(order_id)
        failed = order_id in ledger.metrics.failed
        if minute is None and not failed:
            return unknown(order_id)
        shown = None if minute is None else named(minute)
        return JSONResponse({"order_id": order_id, "minute": shown, "failed": failed})

    def behind(_request: Request) -> Response:
        places = broker.partitions(worker.topics)
        ledger.refresh()
        return JSONResponse(lag(broker.ends(places), furthest(ledger.positions, worker.ends)))

    def replayed(_request: Request) -> Response:
        try:
            live, again, late = both(worker)
        except replay.NoEnd as error:
            return problem(503, "Unavailable", str(error))
        return JSONResponse(replay.answer(live, again, behind=late))

    def replayed_text(_request: Request) -> Response:
        try:
            live, again, _ = both(worker)
        except replay.NoEnd as error:
            return problem(503, "Unavailable", str(error))
        return PlainTextResponse(f"{replay.shown(live, again)}\n")

    return [
        Route("/report", report),
        Route("/report.txt", report_text),
        Route("/orders/{order_id:path}", order),
        Route("/lag", honest(behind)),
        Route("/replay", honest(replayed), methods=["POST"]),
        Route("/replay.txt", honest(replayed_text), methods=["POST"]),
    ]


def both(worker: Any) -> tuple[Report, Report, bool]:
    """Return the live report and its replay, as of the same offsets; and whether the live one was too far behind.

    The offsets are at or behind the ends of the log at the start. Where more comes meanwhile, the replay reads as
    far as the live metrics had when their report was taken.
    """
    ends = replay.high_watermarks(worker.cluster)

    def there() -> bool:
        reached = furthest(worker.ledger.positions, worker.ends)
        return all(reached.get(place, 0) >= end for place, end in ends.items())

    arrived = worker.ledger.wait(there, CATCHING_UP)
    live, reached = worker.ledger.snapshot()
    until = reached if arrived else ends
    again = replay.replay(worker.cluster, until, worker.make_metrics(), worker.make_reader())
    return live, again.report(), not arrived
