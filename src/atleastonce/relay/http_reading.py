"""Reads one HTTP/1.1 message off the bytes of a link, and keeps these as they came."""

from collections.abc import Iterator

import h11

WHOLE = 1024 * 1024
"""How many bytes of a message are kept back at the most."""
_ENDLESS = (b"text/event-stream", b"multipart/x-mixed-replace", b"application/grpc", b"application/x-ndjson")

Unreadable = h11.RemoteProtocolError
"""Raised for what is no HTTP/1.1."""


class Reading:
    """A request, or the answer to one: fed with bytes until it has ended."""

    def __init__(self, answers: h11.Request | None = None) -> None:
        role = h11.SERVER if answers is None else h11.CLIENT
        self._parser = h11.Connection(role, max_incomplete_event_size=WHOLE)
        self._answers = answers
        if answers is not None:
            # How an answer ends depends on what was asked, and on nothing else of it.
            wishes = [each for each in answers.headers if each[0] in (b"upgrade", b"connection")]
            asked = h11.Request(method=answers.method, target=b"/", headers=[(b"host", b"-"), *wishes])
            self._parser.send(asked)
            self._parser.send(h11.EndOfMessage())
        self._raw = bytearray()
        self.body = bytearray()
        self.head: h11.Request | h11.Response | None = None
        self._announced = False
        self.ended = False
        """Whether it is complete."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes, and return those that belong to what comes after this message; raise `Unreadable`."""
        self._raw += data
        self._parser.receive_data(data)
        for event in self._events():
            if isinstance(event, h11.Request | h11.Response):
                self.head = event
            elif isinstance(event, h11.Data) and len(self.body) <= WHOLE:
                self.body += event.data
            elif isinstance(event, h11.InformationalResponse):
                self._announced = True
            elif isinstance(event, h11.EndOfMessage):
                self.ended = True
        if not self.ended and not self.switched:
            return b""
        rest = self._parser.trailing_data[0]
        del self._raw[len(self._raw) - len(rest) :]
        return rest

    def take(self) -> bytes:
        """Return what was not taken yet of the bytes."""
        taken, self._raw, self._announced = bytes(self._raw), bytearray(), False
        return taken

    @property
    def switched(self) -> bool:
        """Whether the link speaks something else from here on."""
        return self._parser.their_state is h11.SWITCHED_PROTOCOL

    @property
    def passes_early(self) -> bool:
        """Whether its bytes have to go on before it is complete: somebody waits for them, or they are too many."""
        if self._parser.they_are_waiting_for_100_continue or len(self._raw) > WHOLE:
            return True
        return self._announced

    @property
    def endless(self) -> bool:
        """Whether it is an answer that has no end, but that of the link, or comes bit by bit for long."""
        if not isinstance(self.head, h11.Response) or self.ended:
            return False
        headers = dict(self.head.headers)
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        framed = b"content-length" in headers or b"transfer-encoding" in headers
        return kind in _ENDLESS or not framed or len(self._raw) > WHOLE

    def _events(self) -> Iterator[h11.Event]:
        while not self.ended:
            event = self._parser.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            yield event  # type: ignore[misc]  # the two that are no events are gone
