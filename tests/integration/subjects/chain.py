"""Two services over HTTP by somebody who knows nothing of the judge: a shop, and the depot that it asks.

The standard library alone: HTTP/1.0, a connection a request, one JSON file a service. BUG in the environment of the
shop makes it wrong: `new-key`, `no-retry`, `hot`, `endless`, or `forgets` (the depot, its keys), `amnesia` (the same,
but only when it ends), or `races` (the depot looks first, and remembers later: of two requests at the same time each
finds nothing). AGAIN is what the shop answers
to an order that it knows already; it is answered as it was by default.
"""

import itertools
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BUG = os.environ.get("BUG", "")
GAPS = {"no-retry": [], "hot": [0.0, 0.0], "endless": [0.1] * 50, "amnesia": [0.5, 1.0]}.get(BUG, [0.1, 0.2])
AGAIN = int(os.environ.get("AGAIN") or 0)
STATE = Path(os.environ["DATA_DIR"]) / f"{sys.argv[1]}.json"
LOCK = threading.Lock()
KEYS: set[str] = set()


def read() -> dict[str, str]:
    """Return what was remembered."""
    return dict(json.loads(STATE.read_text())) if STATE.exists() else {}


def remember(key: str, value: str) -> None:
    """Remember the first value of a key; on the disk before anybody is told."""
    with LOCK:
        state = {key: value, **read()}
        part = STATE.with_suffix(".part")
        with part.open("w") as file:
            file.write(json.dumps(state))
            file.flush()
            os.fsync(file.fileno())
        part.replace(STATE)


def ask(key: str, body: bytes) -> int:
    """Ask the depot once; return the status, 0 for no answer."""
    headers = {"Idempotency-Key": str(uuid.uuid4()) if BUG == "new-key" else key}
    request = urllib.request.Request(os.environ["DEPOT"] + "/take", data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=0.7) as answer:  # noqa: S310 - where we are told to ask
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code
    except OSError:
        return 0


def sell(key: str, body: bytes) -> int:
    """Have an order taken from the depot, trying again where that fails."""
    if AGAIN and json.loads(body)["order"] in read():
        return AGAIN
    for gap in itertools.chain(GAPS, [None]):
        if ask(key, body) == 200:
            remember(json.loads(body)["order"], "placed")
            return 200
        if gap is not None:
            time.sleep(gap)
    return 502


def take(key: str, body: bytes) -> int:
    """Take a piece for an order, once for each key."""
    order = json.loads(body)["order"]
    if BUG == "amnesia" and key not in KEYS:
        KEYS.add(key)
        remember(str(uuid.uuid4()), order)
    elif BUG == "amnesia":
        pass
    elif BUG != "races":
        remember(str(uuid.uuid4()) if BUG == "forgets" else key, order)
    elif key not in read():
        time.sleep(0.1)  # as long as a bank takes that is asked whether the customer can pay
        remember(str(uuid.uuid4()), order)
        remember(key, "taken")
    return 200


class Handler(BaseHTTPRequestHandler):
    """Both services."""

    def do_POST(self) -> None:
        """Work."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        work = {"/orders": sell, "/take": take}[self.path]
        self.answer(work(self.headers["Idempotency-Key"], body), {})

    def do_GET(self) -> None:
        """Show an order, or how often something was taken for it."""
        _, what, order = self.path.split("/")
        state = read()
        times = sum(each == order for each in state.values())
        shown: Any = {"times": times} if what == "taken" else {"state": state.get(order)}
        self.answer(200, shown)

    def answer(self, status: int, content: Any) -> None:
        """Answer, without a length: the end of the connection is the end of the answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None:
        """Keep still."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
