"""The way in over HTTP: one request per copy, repeated by whoever got no 2xx answer."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import urllib3

from atleastonce import templates
from atleastonce.errors import TransportError
from atleastonce.schedule import BURST
from atleastonce.transports import Envelope

NO_ANSWER = 0
CONFLICT = 409
_OK = range(200, 300)
_OURS = range(400, 500)
_LATER = (408, CONFLICT, 425, 429)
"""Answers of 4xx that say nothing against the request itself: it may be repeated."""
_WHY_NONE = (
    (urllib3.exceptions.NewConnectionError, "nobody took the connection"),
    (urllib3.exceptions.TimeoutError, "none came in time"),
    (urllib3.exceptions.ProtocolError, "the connection broke"),
)


class HttpEntry:
    """Sends copies to the service that takes messages in over HTTP; several threads may do so.

    The address may name what each message has of its own: ``http://127.0.0.1:8080/orders/{id}``.
    """

    def __init__(self, method: str, url: str, timeout: float = 10.0) -> None:
        self.address = url
        self._method = method
        # Never repeated on its own: each request that is sent must be in the history.
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, maxsize=BURST)

    def ask(self, envelope: Envelope) -> tuple[int, str]:
        """Send one request; return the status (`NO_ANSWER` where there was none) and what came with it."""
        try:
            answer = self._pool.request(
                self._method,
                templates.fill(self.address, envelope.values),
                body=envelope.body,
                headers=dict(envelope.headers),
            )
        except urllib3.exceptions.HTTPError as exc:
            why = (words for kind, words in _WHY_NONE if isinstance(exc, kind))
            return NO_ANSWER, f"no answer: {next(why, type(exc).__name__)}"
        return answer.status, f"HTTP {answer.status} {answer.data[:120].decode('utf-8', 'replace')}".strip()

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()


def accepted(status: int) -> bool:
    """Tell whether an answer says that the message was taken."""
    return status in _OK


def refused(status: int) -> bool:
    """Tell whether an answer says that the request is wrong, and will be however often it is repeated."""
    return status in _OURS and status not in _LATER


def method_and_address(text: str) -> tuple[str, str]:
    """Split ``POST http://127.0.0.1:{port}/order``, which the contract was checked for."""
    method, _, address = text.partition(" ")
    return method, address


class _Echo(BaseHTTPRequestHandler):
    """Answers any POST with 204."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep still."""


def echo() -> None:
    """Serve one request on 127.0.0.1 and send it; raise TransportError where it is not answered."""
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        entry = HttpEntry("POST", f"http://127.0.0.1:{server.server_port}/")
        status, note = entry.ask(Envelope(b"{}"))
        entry.close()
    if not accepted(status):
        raise TransportError(f"a server of our own did not answer over HTTP: {note}")
