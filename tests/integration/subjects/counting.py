"""Counts orders by minute, and what they cost; `FAULT` names one thing to do wrong."""

import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from confluent_kafka import Consumer

FAULT = os.environ.get("FAULT", "")


class Book:
    """What is known of the orders."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[str, str]] = {}
        self.spent = 0.0

    def take(self, order: Mapping[str, Any]) -> None:
        """Count an order once: in its minute, or where it goes wrong, in that of the clock on the wall."""
        if order["order_id"] in self.orders:
            return
        at = datetime.fromisoformat(order["timestamp"])
        minute = f"{at:%Y-%m-%d %H:%M}"
        if FAULT == "clock":
            minute = time.strftime("%Y-%m-%d %H:%M")
        elif FAULT == "zone":
            minute = f"{at.astimezone():%Y-%m-%d %H:%M}"
        self.orders[order["order_id"]] = minute, order["amount"]
        self.spent += float(order["amount"])

    def report(self) -> str:
        """Return the report, the same for the same orders."""
        orders = [*self.orders.values()]
        by_minute = [
            [minute, [one for one, _ in orders].count(minute)] for minute in {one for one, _ in orders}
        ]
        exact = sum(Fraction(amount) for _, amount in orders)
        return json.dumps(
            {
                "orders": len(orders),
                "spent": repr(self.spent) if FAULT == "float" else str(exact),
                "by_minute": by_minute if FAULT == "set" else sorted(by_minute),
            }
        )


def serve(book: Book) -> None:
    """Answer with the report, whatever is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = book.report().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Read for ever; an offset is committed behind its order."""
    book = Book()
    serve(book)
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"],
            "group.id": os.environ["GROUP"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([os.environ["TOPIC"]])
    while True:
        record = consumer.poll(1.0)
        if record is not None and record.error() is None:
            value = record.value()
            assert value is not None
            book.take(json.loads(value))
            consumer.commit(message=record, asynchronous=False)


if __name__ == "__main__":
    main()
