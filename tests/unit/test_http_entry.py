"""The way in over HTTP: one request per copy, and what its answer says."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from atleastonce.transports import Envelope
from atleastonce.transports.http import NO_ANSWER, HttpEntry, accepted, method_and_address, refused

Asked = list[tuple[str, str, bytes, str | None]]


class Answering(http.server.ThreadingHTTPServer):
    """Answers 503 to all, and keeps what it was asked."""

    daemon_threads = True
    asked: Asked


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.command, self.path, body, self.headers["idempotency-key"]))
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"later \xff")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Answering]:
    """Return a server that listens."""
    with Answering(("127.0.0.1", 0), _Handler) as listening:
        listening.asked = []
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def test_copy_is_asked_once(server: Answering) -> None:
    """Body and headers go out as they are; nothing is repeated behind our back."""
    entry = HttpEntry("POST", f"http://127.0.0.1:{server.server_port}/order")
    answer = entry.ask(Envelope(b"\x00{}", {"ignored": "yes"}, {"Idempotency-Key": "k1"}))
    entry.close()
    assert answer == (503, "HTTP 503 later \ufffd")
    assert server.asked == [("POST", "/order", b"\x00{}", "k1")]


def test_nobody_listens() -> None:
    """No answer is an answer of its own, for the copy is sent again then."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as listening:
        port = listening.server_port
    entry = HttpEntry("POST", f"http://127.0.0.1:{port}/order", timeout=1)
    assert entry.ask(Envelope(b"")) == (NO_ANSWER, "no answer: nobody took the connection")


@pytest.mark.parametrize(
    ("status", "taken", "wrong"),
    [
        (200, True, False),
        (202, True, False),
        (302, False, False),
        (400, False, True),
        (404, False, True),
        (422, False, True),
        (408, False, False),
        (409, False, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
        (NO_ANSWER, False, False),
    ],
)
def test_what_an_answer_says(status: int, taken: bool, wrong: bool) -> None:
    """2xx: taken. 4xx: wrong for good, but for those that mean later. Anything else may be repeated."""
    assert (accepted(status), refused(status)) == (taken, wrong)


def test_method_and_address_are_apart() -> None:
    """The address keeps its placeholders."""
    assert method_and_address("PUT {http:order}/order") == ("PUT", "{http:order}/order")
