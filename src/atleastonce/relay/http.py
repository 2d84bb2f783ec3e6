"""HTTP/1.1 as the relay reads it: requests and their answers pass whole, byte for byte, and become events.

A message is kept back until it is complete, so that a fault hits all of it or nothing. What cannot wait (a body
that is announced first, one that is too long, an answer without an end) passes as it comes. What a link speaks
after an upgrade passes untouched; what never was HTTP/1.1 passes too, and makes the case unknown.
"""

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import h11

from atleastonce.history import Event
from atleastonce.relay.codec import Codec, Connection, From, Names, Segment
from atleastonce.relay.http_reading import Reading, Unreadable

_KEY = b"idempotency-key"
_SHOWN = 8
_SWITCHED = 101
REFUSED = 503
"""The status that the relay answers with, in place of a service that fails."""
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    b'content-length: 23\r\n\r\n{"error":"unavailable"}'
)


class HttpWire:
    """HTTP for the links of one service to another one; they have nothing in common."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def codec(self, link: int) -> Codec:  # noqa: ARG002 - the relay stamps events with the link itself
        """Return a codec for a new link."""
        return HttpCodec(self._names)

    async def farewell(
        self,
        connect: Callable[[], Awaitable[Connection]],  # noqa: ARG002
        *,
        for_good: bool,  # noqa: ARG002
    ) -> tuple[Event, ...]:
        """Do nothing: a service forgets a caller with its connection."""
        return ()


@dataclass(frozen=True)
class _Exchange:
    """One request that is not answered yet."""

    request: h11.Request
    event: Event

    def answered(self, status: int) -> Event:
        """Return the event of an answer to it."""
        asked = self.event
        return Event(
            event="response",
            side="broker",
            of="request",
            tag=asked.tag,
            message=asked.message,
            queue=asked.queue,
            size=status,
        )


class HttpCodec:
    """One connection; its exchanges follow each other, as HTTP/1.1 has it."""

    subscribed = False

    def __init__(self, names: Names) -> None:
        self._names = names
        self._burying = False
        self._blind = False
        self._count = 0
        self._open: deque[_Exchange] = deque()
        self._asking = Reading()
        self._answering: Reading | None = None
        self._told = False

    @property
    def buried(self) -> bool:
        """After `bury`: whether everything that was asked is answered (`Codec.buried`)."""
        return self._burying and not self._open

    def received(self, side: From, data: bytes) -> list[Segment]:
        """Return every message that is complete now (`Codec.received`)."""
        if self._blind:
            reading = self._asking if side == "subject" else self._answering
            return [Segment((reading.take() if reading else b"") + data)]
        segments: list[Segment] = []
        try:
            segments.extend(self._requests(data) if side == "subject" else self._responses(data))
        except Unreadable as exc:
            segments.append(self._unreadable(side, str(exc)))
        return segments

    def bury(self) -> bytes:
        """Send nothing: what was asked cannot be taken back, and its answer is awaited (`Codec.bury`)."""
        self._burying = True
        return b""

    def closed(self) -> tuple[Event, ...]:
        """Return nothing: the end of the link says it all (`Codec.closed`)."""
        return ()

    # -- what is asked

    def _requests(self, data: bytes) -> Iterator[Segment]:
        while data:
            reading = self._asking
            data = reading.feed(data)
            if reading.ended or reading.switched:
                self._asking = Reading()
                yield self._asked(reading)
            elif reading.passes_early:
                yield Segment(reading.take())

    def _asked(self, reading: Reading) -> Segment:
        request = reading.head
        assert isinstance(request, h11.Request)  # noqa: S101 - what has ended has begun
        self._count += 1
        values = (value for name, value in request.headers if name != b"host")
        path = request.target.partition(b"?")[0]
        marks = [f"key {_digest(value)}" for name, value in request.headers if name == _KEY]
        marks += [f"body {_digest(bytes(reading.body))}"] if reading.body else []
        event = Event(
            event="request",
            side="subject",
            tag=self._count,
            message=self._names.message(request.target, *values, bytes(reading.body)),
            queue=b" ".join((request.method, path)).decode("ascii", "replace"),
            note=", ".join(marks),
        )
        exchange = _Exchange(request, event)
        self._open.append(exchange)
        return Segment(reading.take(), (event,), lambda: self._refused(exchange))

    def _refused(self, exchange: _Exchange) -> Segment | None:
        """Take a request back, and return the answer to it; None where one before it is not answered yet."""
        self._open.remove(exchange)
        return None if self._open else Segment(_REFUSAL, (exchange.answered(REFUSED),))

    # -- what is answered

    def _responses(self, data: bytes) -> Iterator[Segment]:
        while data and not self._blind:
            if self._answering is None and not self._open:
                break  # said unasked, as some servers do before they close an idle connection
            if self._answering is None:
                self._answering, self._told = Reading(self._open[0].request), False
            data = self._answering.feed(data)
            yield from self._answered(self._answering)
        if data:
            yield Segment(data)

    def _answered(self, reading: Reading) -> Iterator[Segment]:
        """Yield what of an answer may pass now; its event goes with the first of it that does."""
        if not self._told and (reading.ended or reading.switched or reading.endless):
            self._told = True
            status = reading.head.status_code if isinstance(reading.head, h11.Response) else _SWITCHED
            yield Segment(reading.take(), (self._open.popleft().answered(status),))
        elif self._told or reading.passes_early:
            yield Segment(reading.take())
        if reading.ended or reading.switched:
            self._answering = None
            self._blind = reading.switched

    def _unreadable(self, side: From, why: str) -> Segment:
        """Pass everything from now on, and say that nothing is known of it."""
        self._blind = True
        reading = self._asking if side == "subject" else self._answering
        note = f"expected HTTP/1.1 between the services: {why}"
        return Segment(reading.take() if reading else b"", (Event(event="unreadable", ok=False, note=note),))


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_SHOWN]
