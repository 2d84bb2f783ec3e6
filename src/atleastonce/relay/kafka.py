"""Kafka as the relay reads it: which fetches, productions, commits and ends of transactions passed.

A link's requests and answers are matched by correlation id. Addresses of brokers in answers are replaced by
the relay's own, so that any broker will do, whatever it advertises. What cannot be read passes untouched, and
says so in an event ``unreadable``.
"""

from collections.abc import Awaitable, Callable, Iterator

from kio.schema.api_versions.v0.request import ApiVersionsRequest

from atleastonce.history import Event
from atleastonce.relay.codec import Codec, Connection, From, Names, Segment
from atleastonce.relay.kafka_farewell import farewell
from atleastonce.relay.kafka_protocol import (
    MAX_REQUEST,
    Api,
    Head,
    NotKafka,
    Stream,
    client,
    correlation,
    head,
    read_request,
    read_response,
    rewrite_response,
    write_request,
)
from atleastonce.relay.kafka_requests import REQUESTS
from atleastonce.relay.kafka_responses import RESPONSES, limited
from atleastonce.relay.kafka_rewrite import READ, AddressFor, lowered, rewritten
from atleastonce.relay.kafka_state import Asked, Link, Shared

_MAX_ANSWER = 2**31 - 1
_LAST = 2**31 - 2
"""The correlation id of our own question; clients count up from zero or one."""
_PATIENT = {Api.FETCH, Api.SYNC_GROUP, Api.SHARE_FETCH}
"""Requests that a broker may answer late on purpose; that they reached it changes nothing there."""

Events = tuple[Event, ...]


class KafkaWire:
    """Kafka for all the links of one subject.

    `address_for` returns where the relay listens for the broker at a host and port.
    """

    def __init__(self, names: Names, address_for: AddressFor) -> None:
        self._shared = Shared(names)
        self._address_for = address_for

    def codec(self, link: int) -> Codec:  # noqa: ARG002 - the relay stamps events with the link itself
        """Return a codec for a new link."""
        return KafkaCodec(self._shared, self._address_for)

    async def farewell(self, connect: Callable[[], Awaitable[Connection]], *, for_good: bool) -> Events:
        """Take the members of the dead subject out of their groups and abort its transactions.

        Without that a broker waits for a dead member until its session ends (45 s by default), and hides from
        read_committed consumers what lies behind an open transaction (60 s).
        """
        self._shared.names.turns.forget()
        return await farewell(self._shared, connect, for_good=for_good)


class KafkaCodec:
    """One connection to a broker."""

    def __init__(self, shared: Shared, address_for: AddressFor) -> None:
        self._address_for = address_for
        self._link = Link(shared)
        self._streams: dict[From, Stream] = {"subject": Stream(MAX_REQUEST), "broker": Stream(_MAX_ANSWER)}
        self._asked: dict[int, Asked] = {}
        self._blind = False
        self._burying = False
        self._unreadable: set[tuple[From, int, int]] = set()

    @property
    def subscribed(self) -> bool:
        """Whether a topic was fetched from over this link."""
        return bool(self._link.consumed)

    @property
    def buried(self) -> bool:
        """Whether everything that changes something on the broker has been answered."""
        return self._burying and all(asked.patient for asked in self._asked.values())

    def received(self, side: From, data: bytes) -> list[Segment]:
        """Return every frame that is complete now (`Codec.received`)."""
        stream = self._streams[side]
        if self._blind:
            return [Segment(stream.flush() + data)]
        take = self._request if side == "subject" else self._answer
        segments: list[Segment] = []
        plain: list[bytes] = []
        try:
            for frame in stream.cut(data):
                passed, events = take(frame)
                if events:
                    if plain:
                        segments.append(Segment(b"".join(plain)))
                        plain = []
                    segments.append(Segment(passed, events))
                else:
                    plain.append(passed)
        except NotKafka as exc:
            self._blind = True
            note = f"this is not Kafka's protocol without TLS: {exc}"
            plain.append(stream.flush())
            return [*segments, Segment(b"".join(plain), (Event(event="unreadable", side=side, note=note),))]
        if plain:
            segments.append(Segment(b"".join(plain)))
        return segments

    def bury(self) -> bytes:
        """Ask a harmless question last, where something is unanswered that changes something.

        Its answer proves that everything before it was processed, since a broker takes the requests of a
        connection one after the other. That covers requests which the relay read and never passed on. Kafka
        has no frame that ends a connection.
        """
        self._burying = True
        if self.buried or _LAST in self._asked:
            return b""
        self._asked[_LAST] = Asked(Api.API_VERSIONS, 0, patient=True)
        return write_request(ApiVersionsRequest(), _LAST)

    def closed(self) -> Events:
        """Give back what unanswered commits covered: nobody knows whether they were carried out."""
        for asked in self._asked.values():
            self._release(asked)
        self._asked.clear()
        return ()

    def _request(self, frame: bytes) -> tuple[bytes, Events]:
        if (request := head(frame)) is None:
            return frame, ()
        asked = Asked(request.api, request.version, patient=request.api in _PATIENT)
        self._asked[request.correlation] = asked
        events = self._read("subject", request, lambda: self._asks(frame, request, asked))
        if not asked.answered:
            del self._asked[request.correlation]
        return frame, events

    def _asks(self, frame: bytes, request: Head, asked: Asked) -> Iterator[Event]:
        if (reader := REQUESTS.get(request.api)) is not None:
            self._link.client = client(frame)
            yield from reader(self._link, read_request(frame, request), asked)

    def _answer(self, frame: bytes) -> tuple[bytes, Events]:
        number = correlation(frame)
        asked = None if number is None else self._asked.pop(number, None)
        if asked is None or number is None:
            return frame, ()
        if number == _LAST:
            self.closed()
            return frame, ()
        passed = [frame]
        request = Head(asked.api, asked.version, number)
        events = self._read("broker", request, lambda: self._answers(passed, asked))
        self._release(asked)
        return passed[0], events

    def _answers(self, passed: list[bytes], asked: Asked) -> Iterator[Event]:
        """Read an answer; `passed` holds it, and then what is to be passed on in its place."""
        if asked.api == Api.API_VERSIONS:
            passed[0] = lowered(passed[0], asked.version)
        elif asked.api in READ:
            payload = read_response(passed[0], asked.api, asked.version)
            changed = rewritten(asked.api, payload, self._address_for)
            if asked.api == Api.FETCH and (fewer := limited(self._link, changed or payload)) is not None:
                changed = payload = fewer
            if changed is not None:
                passed[0] = rewrite_response(passed[0], changed)
            if (reader := RESPONSES.get(asked.api)) is not None:
                yield from reader(self._link, payload, asked)

    def _read(self, side: From, request: Head, read: Callable[[], Iterator[Event]]) -> Events:
        """Return the events of a frame; what cannot be read is reported once per API, version and side."""
        events: list[Event] = []
        try:
            events.extend(read())
        except Exception as exc:  # noqa: BLE001 - whatever a foreign frame does to us, its bytes must pass
            known = (side, request.api, request.version)
            if known not in self._unreadable:
                self._unreadable.add(known)
                note = f"API {request.api} version {request.version}: {type(exc).__name__}: {exc}"
                events.append(Event(event="unreadable", side=side, note=note))
        return tuple(events)

    def _release(self, asked: Asked) -> None:
        """Give back what a commit covered that was not answered for."""
        for _, covered in asked.covered.values():
            self._link.shared.ledger.put_back(covered)
        asked.covered.clear()
