"""The synchronous chain as processes, and a place between two of them where answers are lost or held."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from campus import DEADLINE, HTTP, Service, until

ORDER = "campus_food.rest.order"
INVENTORY = "campus_food.rest.inventory"
NOTIFICATION = "campus_food.rest.notification"

QUICK = {"BACKOFF": "0.02", "FAULT_INJECTION": "1"}
AMPLE = "burger=1000,fries=1000"

ASKED = {"user_id": "u1", "items": {"burger": 1}}


@dataclass(frozen=True)
class Chain:
    """The three services; those that a test wants to have started."""

    order: Service
    inventory: Service
    notification: Service

    def attempts(self, key: str) -> tuple[int, int]:
        """Return how many requests under a key inventory and notification saw."""
        services = (self.inventory, self.notification)
        first, second = (int(each.get(f"/attempts/{quote(key)}")[1]["attempts"]) for each in services)
        return first, second

    def status(self, user: str) -> list[str]:
        """Return what became of a user's reservations."""
        found = self.inventory.get(f"/users/{user}/reservations")
        return [each["status"] for each in found[1]] if found[0] == 200 else []

    def told(self, user: str) -> int:
        """Return how many confirmations a user got."""
        status, found = self.notification.get(f"/users/{user}/notifications")
        return len(found) if status == 200 else 0

    def released(self, user: str) -> None:
        """Wait until the only reservation of a user holds nothing any more."""
        until(lambda: self.status(user) == ["released"], f"release of {user}")


@contextmanager
def chain(folder: Path, between: "Between | None" = None, **env: str) -> Iterator[Chain]:
    """Make the three services, none of them started; `between` stands between order and the one it names."""
    env = {**QUICK, "OPENING_STOCK": AMPLE, **env}
    inventory, notification = Service(INVENTORY, folder, **env), Service(NOTIFICATION, folder, **env)
    urls = {"INVENTORY_URL": inventory.address, "NOTIFICATION_URL": notification.address}
    if between is not None:
        between.target = urls[between.variable]
        urls[between.variable] = between.address
    with inventory, notification, Service(ORDER, folder, **urls, **env) as order:
        yield Chain(order, inventory, notification)


@contextmanager
def started(folder: Path, between: "Between | None" = None, **env: str) -> Iterator[Chain]:
    """Start the three services."""
    with chain(folder, between, **env) as services:
        for each in (services.inventory, services.notification, services.order):
            each.launch()
        services.order.answers()
        yield services


class Between:
    """Passes requests on, and loses or holds the first answers to one path.

    `lose` says how many: the caller hears nothing until it goes away. `cut` ends the connection instead. `hold`
    keeps every answer back until it is set.
    """

    def __init__(self, variable: str, path: str) -> None:
        self.variable = variable
        self.target = ""
        self.path = path
        self.lose = 0
        self.cut = 0
        self.open = threading.Event()
        self.open.set()
        self.arrived = threading.Event()
        self.keys: list[str] = []
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                between.carry(self)

            do_GET = do_POST  # noqa: N815 - so it has to be named

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def carry(self, handler: BaseHTTPRequestHandler) -> None:
        """Pass one request on, and its answer back, unless that is to be lost."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name: handler.headers[name] for name in ("Idempotency-Key",) if name in handler.headers}
        answer = HTTP.request(handler.command, self.target + handler.path, body=body, headers=headers)
        if handler.path.split("?")[0] == self.path:
            self.keys.append(headers["Idempotency-Key"])
            self.arrived.set()
            self.open.wait(DEADLINE)
            if self._lost(handler):
                handler.close_connection = True
                return
        with suppress(OSError):
            handler.send_response(answer.status)
            handler.send_header("Content-Length", str(len(answer.data)))
            handler.end_headers()
            handler.wfile.write(answer.data)

    def _lost(self, handler: BaseHTTPRequestHandler) -> bool:
        if self.cut > 0:
            self.cut -= 1
            handler.connection.shutdown(socket.SHUT_RDWR)
            return True
        if self.lose > 0:
            self.lose -= 1
            with suppress(OSError):
                handler.connection.recv(1)  # until the caller has gone
            return True
        return False
