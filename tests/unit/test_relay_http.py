"""HTTP as the relay reads it: the same bytes go on, whole, and the events say what passed."""

import pytest

from atleastonce.history import Event
from atleastonce.relay.codec import From, Names, Segment
from atleastonce.relay.http import HttpCodec

M1 = "11111111-1111-4111-8111-111111111111"
M2 = "22222222-2222-4222-8222-222222222222"
BODY = f'{{"order_id": "{M1}"}}'.encode()
ASKED = b"POST /reserve?fast=1 HTTP/1.1\r\nHost: h\r\nIdempotency-Key: k\r\nContent-Length: %d\r\n\r\n" % len(
    BODY
)
ANSWERED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
REQUEST, RESPONSE = ("request", "m1", "POST /reserve", 0), ("response", "m1", "POST /reserve", 200)


class Talk:
    """A connection as the two sides use it; everything that passes is kept."""

    def __init__(self) -> None:
        names = Names()
        names.begin("case-1", [(M1, "m1"), (M2, "m2")], {})
        self.codec = HttpCodec(names)
        self.passed: dict[From, bytes] = {"subject": b"", "broker": b""}

    def sends(self, side: From, *parts: bytes) -> list[tuple[str, str | None, str, int]]:
        """Let bytes come from one side, and return the events of it, in short."""
        return [short(event) for part in parts for each in self.takes(side, part) for event in each.events]

    def takes(self, side: From, data: bytes) -> list[Segment]:
        """Let bytes come from one side, and return what passes."""
        found = self.codec.received(side, data)
        self.passed[side] += b"".join(each.data for each in found)
        return found


def short(event: Event) -> tuple[str, str | None, str, int]:
    """Return what matters of an event."""
    return event.event, event.message, event.queue, event.size


def asked(path: bytes = b"/x", more: bytes = b"") -> bytes:
    """Return a request without a body."""
    return b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n" + more + b"\r\n"


def test_request_and_answer_are_events_and_pass_as_they_are() -> None:
    """Method and path without its query; a digest of the key, of which two attempts can be compared."""
    talk = Talk()
    (request,) = talk.takes("subject", ASKED + BODY)
    assert [short(event) for event in request.events] == [REQUEST]
    assert request.events[0].note == "key 8254c329, body 9a751d2c"
    assert talk.sends("broker", ANSWERED) == [RESPONSE]
    assert talk.passed == {"subject": ASKED + BODY, "broker": ANSWERED}


@pytest.mark.parametrize("answer", [ANSWERED, CHUNKED], ids=["length", "chunked"])
def test_nothing_passes_before_it_is_whole(answer: bytes) -> None:
    """A fault hits all of a request or of an answer, or nothing."""
    talk = Talk()
    bytes_ = [bytes([each]) for each in ASKED + BODY]
    assert talk.sends("subject", *bytes_[:-1]) == []
    assert talk.passed["subject"] == b""
    assert talk.sends("subject", bytes_[-1]) == [REQUEST]
    bytes_ = [bytes([each]) for each in answer]
    assert talk.sends("broker", *bytes_[:-1]) == []
    assert talk.passed["broker"] == b""
    assert len(talk.sends("broker", bytes_[-1])) == 1
    assert talk.passed["broker"] == answer


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (asked(f"/orders/{M2}".encode()), "m2"),
        (asked(more=f"X-Order: {M1.upper()}\r\n".encode()), "m1"),
        (asked(f"/orders/{M2}".encode(), f"X-Order: {M1}\r\n".encode()), "m2"),
        (asked(), None),
    ],
    ids=["path", "header", "path first", "nowhere"],
)
def test_message_is_known_by_its_ids(request_: bytes, message: str | None) -> None:
    """Wherever they stand; the path says it best."""
    assert [event[1] for event in Talk().sends("subject", request_)] == [message]


def test_exchanges_follow_each_other_on_one_connection() -> None:
    """Also where the second was asked before the first was answered."""
    talk = Talk()
    both = ASKED + BODY + asked(f"/orders/{M2}".encode())
    assert talk.sends("subject", both) == [REQUEST, ("request", "m2", f"GET /orders/{M2}", 0)]
    answers = talk.sends("broker", ANSWERED + b"HTTP/1.1 204 No Content\r\n\r\n")
    assert answers == [RESPONSE, ("response", "m2", f"GET /orders/{M2}", 204)]


def test_answer_to_head_has_no_body() -> None:
    """Whatever length it names."""
    talk = Talk()
    talk.sends("subject", b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n", asked())
    head = ANSWERED.removesuffix(b"{}")
    assert [each[2] for each in talk.sends("broker", head + ANSWERED)] == ["HEAD /x", "GET /x"]


@pytest.mark.parametrize(
    "head",
    [b"Content-Type: text/plain\r\n", b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"],
    ids=["until the link ends", "bit by bit"],
)
def test_answer_without_an_end_passes_as_it_comes(head: bytes) -> None:
    """Its event goes with its head: whoever reads it would wait for ever."""
    talk = Talk()
    talk.sends("subject", ASKED + BODY)
    start = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n"
    assert talk.sends("broker", start, b"3\r\nabc\r\n") == [RESPONSE]
    assert talk.passed["broker"] == start + b"3\r\nabc\r\n"


def test_body_that_is_announced_first_can_be_asked_for() -> None:
    """The head passes, the 100 passes, and the request is one once its body is there."""
    talk = Talk()
    announced = ASKED.replace(b"Host", b"Expect: 100-continue\r\nHost")
    assert talk.sends("subject", announced) == []
    assert talk.passed["subject"] == announced
    assert talk.sends("broker", b"HTTP/1.1 100 Continue\r\n\r\n") == []
    assert talk.sends("subject", BODY) == [REQUEST]
    assert talk.sends("broker", ANSWERED) == [RESPONSE]


def test_what_is_spoken_after_an_upgrade_passes_untouched() -> None:
    """And is not read."""
    talk = Talk()
    talk.sends("subject", asked(more=b"Connection: upgrade\r\nUpgrade: websocket\r\n"))
    switched = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert talk.sends("broker", switched + b"\x81\x01") == [("response", None, "GET /x", 101)]
    assert talk.sends("subject", b"\x81\x02hi") == []
    assert talk.passed["broker"] == switched + b"\x81\x01"
    assert talk.passed["subject"].endswith(b"\x81\x02hi")


def test_what_is_no_http_passes_and_is_said() -> None:
    """A case in which it happens cannot be judged."""
    talk = Talk()
    (segment,) = talk.takes("subject", b"\x16\x03\x01 hello\r\n\r\n")
    assert [(event.event, event.ok) for event in segment.events] == [("unreadable", False)]
    assert talk.passed["subject"] == b"\x16\x03\x01 hello\r\n\r\n"


def test_what_was_kept_back_passes_once_the_other_side_is_no_http() -> None:
    """No byte is lost, whichever side it came from."""
    talk = Talk()
    talk.sends("subject", asked())
    half = asked(more=b"x-more: 1\r\n")[:-10]
    talk.takes("subject", half)
    talk.takes("broker", b"\x00\x01\r\n\r\n")
    assert [segment.data for segment in talk.takes("subject", b"rest")] == [half + b"rest"]


def test_refused_request_is_answered_in_place_of_the_service() -> None:
    """Only where none before it waits: answers come in order."""
    talk = Talk()
    (request,) = talk.takes("subject", ASKED + BODY)
    assert request.refuse is not None
    answer = request.refuse()
    assert answer is not None
    assert answer.data.startswith(b"HTTP/1.1 503 ")
    assert [short(event) for event in answer.events] == [("response", "m1", "POST /reserve", 503)]
    _, second = talk.takes("subject", asked() + asked())
    assert second.refuse is not None
    assert second.refuse() is None


def test_link_is_buried_once_everything_is_answered() -> None:
    """What was asked cannot be taken back, so nothing is sent for it."""
    talk = Talk()
    talk.sends("subject", ASKED + BODY)
    assert (talk.codec.bury(), talk.codec.buried) == (b"", False)
    talk.sends("broker", ANSWERED)
    assert talk.codec.buried
