"""Takes payments over HTTP, each once; `FAULT` names one thing to do wrong."""

import json
import os
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULT = os.environ.get("FAULT", "")
REMEMBERED = 10
"""How many ids are known to whoever knows few."""
TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS known (id TEXT PRIMARY KEY, since REAL);
CREATE TABLE IF NOT EXISTS paid (id TEXT);
"""
_lock = threading.Lock()
_remembered: set[str] = set()


def connected() -> sqlite3.Connection:
    """Return a connection of its own for a request."""
    return sqlite3.connect(os.environ["DATABASE"], isolation_level=None, timeout=10)


def pay(order: str) -> None:
    """Note a payment, unless it is known already."""
    database = connected()
    with _lock:
        if FAULT == "memory":
            new = order not in _remembered
            _remembered.add(order)
            database.execute("BEGIN IMMEDIATE")
        else:
            database.execute("BEGIN IMMEDIATE")
            if FAULT == "forgets":
                database.execute("DELETE FROM known WHERE since < ?", (time.time() - 5,))
            if FAULT == "few":
                database.execute(
                    "DELETE FROM known WHERE rowid <= (SELECT max(rowid) FROM known) - ?", (REMEMBERED,)
                )
            new = (
                database.execute("INSERT OR IGNORE INTO known VALUES (?, ?)", (order, time.time())).rowcount
                > 0
            )
        if FAULT in ("mark-first", "mark-and-wait"):
            database.execute("COMMIT")
            time.sleep(0.08 if FAULT == "mark-and-wait" else 0)
            database.execute("BEGIN IMMEDIATE")
        if new:
            database.execute("INSERT INTO paid VALUES (?)", (order,))
        database.execute("COMMIT")
    database.close()


class Handler(BaseHTTPRequestHandler):
    """Answers ``POST /pay``, ``PUT /paid/ID`` and ``GET /paid/ID``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer, which is sent in two parts, takes 40 ms

    def do_POST(self) -> None:
        """Pay for whom the body names."""
        self.take(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"])

    def do_PUT(self) -> None:
        """Do the same for whom the address names."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.take(self.path.rpartition("/")[2])

    def take(self, order: str) -> None:
        """Pay and answer, in the order that `FAULT` says."""
        if FAULT == "answer-first":
            self.answer(200, {})
            time.sleep(0.05)  # the work itself, which goes on behind the answer
            pay(order)
        else:
            pay(order)
            self.answer(200, {})

    def do_GET(self) -> None:
        """Show how often an order was paid."""
        order = self.path.rpartition("/")[2]
        ((times,),) = connected().execute("SELECT COUNT(*) FROM paid WHERE id = ?", (order,))
        self.answer(200 if times else 404, {"times": times})

    def answer(self, status: int, said: Any) -> None:
        """Send an answer, all of it."""
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Keep still."""


if __name__ == "__main__":
    connected().executescript(TABLES)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
