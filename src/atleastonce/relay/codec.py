"""What the relay needs to know of a protocol: where frames end, what happened in them, how to end a link.

The relay itself (`relay.tcp`) moves bytes and springs traps; a `Wire` (one per relay) makes a `Codec` for
each link, and holds what the links of one subject have in common.
"""

import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from atleastonce.history import Event
from atleastonce.relay.turns import Turns

From = Literal["subject", "broker"]

COPY_HEADER = "atleastonce-copy"
"""The header that every copy of ours carries; its value is ``<case>/<copy>``."""

HEX = "[0-9a-fA-F]"
"""A pattern that begins with one set of characters, and ignores no case, passes the others almost at no cost."""
_FIRST = 8
"""How many characters of a UUID stand before its first hyphen."""
_UUID_REST = re.compile(f"-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}".encode())
"""A pattern that begins with one literal character passes the others ten times as fast as one with a set."""


class Segment(NamedTuple):
    """Bytes to pass on, whole frames only, and the protocol events that they carry.

    `refuse` takes back a request that was not passed on, and returns the answer that its sender gets instead;
    None where the protocol has none, or none at this moment.
    """

    data: bytes
    events: tuple[Event, ...] = ()
    refuse: "Callable[[], Segment | None] | None" = None


class Codec(Protocol):
    """Reads the two directions of one link."""

    @property
    def subscribed(self) -> bool:
        """Whether the subject consumes over this link, as far as was passed on."""

    @property
    def buried(self) -> bool:
        """After `bury`: whether the broker has processed everything that was passed to it over this link."""

    def received(self, side: From, data: bytes) -> Iterable[Segment]:
        """Take bytes as they came, and return every frame that is complete now, in order.

        Frames without events are joined. Frames that are unknown, or of an unknown version, come back
        untouched. After `bury` only the broker's side is fed in, to learn when the link is buried.
        """

    def bury(self) -> bytes:
        """Begin to end the link of a dead subject; return what to send to the broker for that."""

    def closed(self) -> tuple[Event, ...]:
        """Return the events that the end of the link itself means."""


class Wire(Protocol):
    """One protocol for all the links of one subject."""

    def codec(self, link: int) -> Codec:
        """Return a codec for a new link."""

    async def farewell(
        self, connect: Callable[[], Awaitable["Connection"]], *, for_good: bool
    ) -> tuple[Event, ...]:
        """Once every link of a dead subject is buried, tell the broker that it is gone; raise TransportError.

        `connect` opens a connection of our own to the broker. `for_good`: nor keeps the broker a place for whoever
        starts next.
        """


class Connection(Protocol):
    """A connection of the relay's own to the broker."""

    async def ask(self, request: bytes) -> bytes:
        """Send one request and return the answer to it."""

    def close(self) -> None:
        """End the connection."""


class Names:
    """Tells which message some bytes belong to: the ids and copies of the case that runs now.

    Ids are UUIDs of ours, so that finding one in a body, a key or a header is proof. Shared by the runner,
    which fills it, and the codecs, which ask; both replace whole dicts, so no lock is needed. What is
    published to the queues of `taps` is copied to `tapped` (queue, body, properties): outputs that may not be
    taken from a queue which another service consumes. `fleeting` are queues that the subject declared to end with
    their consumers. `turns` is the order in which a log is served. `given` are the ids of every case of a run, which
    the lanes of the run have in common.
    """

    def __init__(self, given: set[bytes] | None = None) -> None:
        self._case = ""
        self._messages: dict[bytes, str] = {}
        self._bodies: Mapping[str, bytes] = {}
        self.taps: frozenset[str] = frozenset()
        self.tapped: deque[tuple[str, bytes, Any]] = deque()
        self.fleeting: set[str] = set()
        self._given = set() if given is None else given
        self.turns = Turns()

    def begin(self, case: str, ids: Iterable[tuple[str, str]], bodies: Mapping[str, bytes]) -> None:
        """Start a case: `ids` are pairs of an id and the message it belongs to, `bodies` what each says."""
        self._messages = {value.encode(): message for value, message in ids}
        self._given.update(self._messages)
        self._bodies = bodies
        self._case = case

    def copy_header(self, copy: str) -> str:
        """Return the value of our header for a copy of this case."""
        return f"{self._case}/{copy}"

    def copy(self, header: str | bytes | None) -> tuple[str | None, str | None]:
        """Return message and copy for the value of our header; (None, None) for another case's or no copy."""
        text = header.decode("utf-8", "replace") if isinstance(header, bytes) else header or ""
        case, _, copy = text.rpartition("/")
        return (copy.partition("#")[0], copy) if copy and case == self._case else (None, None)

    def copy_again(self, header: str | bytes | None, body: bytes | None) -> tuple[str | None, str | None]:
        """Return the same for what the subject published: another body is an output that hands our header on.

        A service that publishes a message again, to retry it or to set it aside, leaves the body as it is.
        """
        message, copy = self.copy(header)
        again = message is not None and self._bodies.get(message) == (body or b"")
        return (message, copy if again else None)

    def message(self, *parts: bytes) -> str | None:
        """Return the message whose id stands in one of the parts, the earliest part first, or None."""
        messages = self._messages
        found = (messages[each] for part in parts for each in _ids(part) if each in messages)
        return next(found, None)

    def speaks(self, data: bytes, start: int, end: int) -> bool:
        """Tell whether an id of a message stands between two places."""
        messages = self._messages
        return any(found in messages for found in _ids(data, start, end))

    def late(self, *parts: bytes) -> bool:
        """Tell whether an id of another case stands in the parts: what carries it belongs there."""
        ids = (each for part in parts for each in _ids(part))
        return any(found in self._given and found not in self._messages for found in ids)


def _ids(data: bytes, start: int = 0, end: int = sys.maxsize) -> Iterator[bytes]:
    """Yield what may be a UUID, in lower case, in order."""
    for match in _UUID_REST.finditer(data, start, end):
        yield data[max(match.start() - _FIRST, 0) : match.end()].lower()
