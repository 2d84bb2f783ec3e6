"""A correct service that takes orders over HTTP and tells Kafka: each waits in a table until the broker has it.

With `FAULT=sent-first` it is wrong: what is taken out of the table is only then sent.
"""

import json
import os
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka import Producer

SENT_FIRST = os.environ["FAULT"] == "sent-first"
waits = threading.Event()


def opened() -> sqlite3.Connection:
    """Connect to the database: each thread for itself."""
    database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS placed (id TEXT PRIMARY KEY, told INTEGER DEFAULT 0)")
    return database


def tell() -> None:
    """Produce what was not told yet, and note it once the broker has it."""
    database = opened()
    producer = Producer(
        {"bootstrap.servers": os.environ["BOOTSTRAP"], "enable.idempotence": True, "linger.ms": 0}
    )
    while True:
        for (order,) in database.execute("SELECT id FROM placed WHERE told = 0").fetchall():
            if SENT_FIRST:
                database.execute("UPDATE placed SET told = 1 WHERE id = ?", (order,))
            producer.produce(os.environ["TOPIC"], json.dumps({"id": order}).encode(), key=order)
            while producer.flush(1):
                pass
            database.execute("UPDATE placed SET told = 1 WHERE id = ?", (order,))
        waits.wait(0.2)
        waits.clear()


class Handler(BaseHTTPRequestHandler):
    """``POST /order`` with an id."""

    def do_POST(self) -> None:
        """Note an order once, and answer."""
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
        database = opened()
        database.execute("INSERT OR IGNORE INTO placed (id) VALUES (?)", (order,))
        database.close()
        waits.set()
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


opened().close()
threading.Thread(target=tell, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
