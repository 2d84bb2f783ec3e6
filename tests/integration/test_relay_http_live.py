"""The relay between a client and a server over HTTP: what each of them sees, and what is recorded."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from atleastonce.brokers.ports import free_ports
from atleastonce.faults import FAULTS
from atleastonce.faults.scene import Scene
from atleastonce.recording import Record
from atleastonce.relay.codec import Names
from atleastonce.relay.http import HttpWire
from atleastonce.relay.link import Link
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import Relay
from atleastonce.schedule import Trap, When

ID = "11111111-1111-4111-8111-111111111111"


class Depot(BaseHTTPRequestHandler):
    """Counts what it is asked, and answers once it may."""

    protocol_version = "HTTP/1.1"
    taken: list[str]
    may: threading.Event

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append(self.path)
        self.may.wait(10)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep still."""


class Between:
    """A relay between a client and a depot."""

    def __init__(self, loop: Loop, port: int) -> None:
        names = Names()
        names.begin("case", [(ID, "m1")], {})
        self.record = Record()
        self.relay = Relay(
            loop, ("127.0.0.1", port), "shop", lambda _: HttpWire(names), self.record.add, self._strike
        )
        self.relay.to = "depot"

    def arm(self, when: When, event: str, fault: str) -> None:
        """Let a fault strike at an event of m1."""
        trap = Trap(when=when, event=event, message="m1", service="shop", link="depot", do=fault)
        self.relay.traps.arm([trap])

    def ask(self) -> int:
        """Ask for m1 by a connection of its own; return the status, 0 for no answer.

        By the last one it could be asked while that is being cut.
        """
        url = "http://{}:{}/take".format(*self.relay.address)
        with urllib3.PoolManager(retries=False, timeout=1) as pool:
            try:
                return int(pool.request("POST", url, body=ID).status)
            except urllib3.exceptions.HTTPError:
                return 0

    def seen(self, last: str) -> list[tuple[str, bool]]:
        """Return what was recorded up to such an event, without links that opened and closed.

        What passes is recorded once it was sent, so a client may know of it first.
        """
        self.saw(last)
        events = self.record.events()
        return [(each.event, each.ok) for each in events if each.event not in ("open", "closed")]

    def saw(self, event: str) -> bool:
        """Wait until an event is recorded."""
        return self.record.await_(lambda: any(each.event == event for each in self.record.events()), 5)

    def _strike(self, trap: Trap, link: Link) -> None:
        FAULTS[trap.do].strike(Scene(link, lambda: None, lambda: None))


@pytest.fixture
def depot() -> Iterator[ThreadingHTTPServer]:
    """Run a depot."""
    Depot.taken, Depot.may = [], threading.Event()
    Depot.may.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Depot) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def between(depot: ThreadingHTTPServer) -> Iterator[Between]:
    """Lay a relay before it."""
    with Loop("test") as loop:
        made = Between(loop, depot.server_port)
        with made.relay:
            yield made
        assert loop.failure is None


OK, ASKED, NOT_PASSED, STRUCK = ("response", True), ("request", True), ("request", False), ("sprung", True)


@pytest.mark.parametrize(
    ("trap", "status", "taken", "seen"),
    [
        (("before", "request", "noop"), 200, 1, [STRUCK, ASKED, OK]),
        (("before", "request", "fail"), 503, 0, [STRUCK, NOT_PASSED, OK]),
        (("before", "request", "cut"), 0, 0, [STRUCK, ("cut", True), NOT_PASSED]),
        (("before", "response", "cut"), 0, 1, [ASKED, STRUCK, ("cut", True), OK]),
        (("after", "response", "cut"), 200, 1, [ASKED, OK, STRUCK, ("cut", True)]),
        (("before", "response", "time-out"), 0, 1, [ASKED, STRUCK]),
    ],
)
def test_faults_strike_between_two_services(
    between: Between, trap: tuple[When, str, str], status: int, taken: int, seen: list[tuple[str, bool]]
) -> None:
    """What the client is told, how often the depot was asked, and what the history says; then it works again."""
    between.arm(*trap)
    assert (between.ask(), len(Depot.taken)) == (status, taken)
    assert between.seen(seen[-1][0]) == seen
    assert (between.ask(), len(Depot.taken)) == (200, taken + 1)


def test_answer_that_nobody_waits_for_is_awaited_all_the_same(between: Between) -> None:
    """Before a dead service is started again, what it had asked is done."""
    Depot.may.clear()
    dying = threading.Thread(target=between.ask)
    dying.start()
    assert between.saw("request")
    between.relay.absorb()
    threading.Timer(0.2, Depot.may.set).start()
    assert between.relay.bury()
    dying.join()
    assert between.seen("buried") == [ASKED, OK, ("buried", True)]


def test_service_that_is_not_there_is_said() -> None:
    """Nobody knows what was to be asked of it."""
    with Loop("test") as loop:
        between = Between(loop, *free_ports(1))
        with between.relay:
            assert between.ask() == 0
            assert between.saw("unreached")


def test_relay_that_refuses_says_so(between: Between) -> None:
    """What is cut off cannot ask."""
    between.relay.cut(refuse=True)
    assert between.ask() == 0
    assert between.saw("unreached")
    between.relay.mend()
    assert between.ask() == 200
