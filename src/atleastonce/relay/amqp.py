"""AMQP 0-9-1 as the relay reads it: cuts frames, decodes what means something, ends a connection in order.

Messages are passed on whole, once their last frame is there. What a frame means is the business of
`relay.amqp_channel`; whatever is unknown, and a link that speaks something else, passes untouched.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pamqp import commands, frame

from atleastonce.history import Event
from atleastonce.relay.amqp_channel import Channel, Content
from atleastonce.relay.amqp_methods import HEAD, Deliver, Publish, carries, method
from atleastonce.relay.codec import Codec, Connection, From, Names, Segment

_GREETING, _GREETING_SIZE = b"AMQP", 8
_METHOD, _CONTENT_HEADER, _BODY = 1, 2, 3
_SIZE_OF_SIZE = 8
_LEAST_HEADER = 4 + _SIZE_OF_SIZE + 2
"""Bytes: class, weight, size of the body, and which properties there are."""
_CARRIES_CONTENT = (Publish, Deliver, commands.Basic.GetOk, commands.Basic.Return)


class AmqpWire:
    """AMQP for all the links of one subject; they have nothing in common."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def codec(self, link: int) -> Codec:  # noqa: ARG002 - the relay stamps events with the link itself
        """Return a codec for a new link."""
        return AmqpCodec(self._names)

    async def farewell(
        self,
        connect: Callable[[], Awaitable[Connection]],  # noqa: ARG002
        *,
        for_good: bool,  # noqa: ARG002
    ) -> tuple[Event, ...]:
        """Do nothing: RabbitMQ forgets a consumer with its connection."""
        return ()


class AmqpCodec:
    """One AMQP connection."""

    def __init__(self, names: Names) -> None:
        self.buried = False
        self._names = names
        self._rest: dict[From, bytes] = {"subject": b"", "broker": b""}
        self._channels: dict[int, Channel] = {}
        self._fresh: set[From] = {"subject", "broker"}
        self._foreign = False
        self._opened = False

    @property
    def subscribed(self) -> bool:
        """Whether a consumer was confirmed, or a queue is polled, on any channel."""
        return any(channel.consumers or channel.polled for channel in self._channels.values())

    def received(self, side: From, data: bytes) -> list[Segment]:
        """Return every frame that is complete now (`Codec.received`)."""
        if self._rest[side]:
            data, self._rest[side] = self._rest[side] + data, b""
        if self._foreign:
            return [Segment(data)]
        if side not in self._fresh:
            return self._segments(side, data)
        if len(data) < _GREETING_SIZE:
            self._rest[side] = data
            return []
        self._fresh.discard(side)
        greets = data.startswith(_GREETING)  # the broker only where it refuses the subject's version
        self._foreign = side == "subject" and not greets
        size = len(data) if self._foreign else _GREETING_SIZE if greets else 0
        greeting = [Segment(data[:size])] if size else []
        return [*greeting, *self._segments(side, data[size:])]

    def bury(self) -> bytes:
        """Send ``connection.close``: its close-ok proves that everything before it was processed.

        Also where the subject has sent one itself: the relay may have read it without passing it on.
        """
        if self.buried or not self._opened:
            self.buried = True
            return b""
        return frame.marshal(commands.Connection.Close(200, "the client is gone", 0, 0), 0)

    def closed(self) -> tuple[Event, ...]:
        """Return that every channel gave back what it held (`Codec.closed`)."""
        open_ = (number for number, channel in self._channels.items() if number and not channel.closing)
        return tuple(Event(event="closed", side="broker", channel=number) for number in open_)

    def _segments(self, side: From, data: bytes) -> list[Segment]:
        """Take every complete frame, and keep the rest; neighbours without events become one segment."""
        segments: list[Segment] = []
        plain = start = 0
        while len(data) - start >= HEAD.size:
            kind, number, size = HEAD.unpack_from(data, start)
            end = start + HEAD.size + size + 1
            if end > len(data):
                break
            whole = self._at_once(side, number, data, start, end) if kind == _METHOD else None
            taken, end = whole or (self._frame(side, kind, number, data[start:end]), end)
            if taken is not None:
                if plain < start:
                    segments.append(Segment(data[plain:start]))
                if taken.data:
                    segments.append(taken)
                plain = end
            start = end
        if plain < start:
            segments.append(Segment(data[plain:start]))
        self._rest[side] = data[start:]
        return segments

    def _at_once(
        self, side: From, number: int, data: bytes, start: int, end: int
    ) -> tuple[Segment, int] | None:
        """Return a message whose frames are all there, one behind the other, and where it ends.

        This is the usual case, and several times as quick as to take one frame after the other.
        """
        channel = self._channels.get(number)
        if channel is None or side in channel.contents or not carries(data, start):
            return None
        parts = _content(data, number, end)
        said = None if parts is None else method(data[start:end])
        if parts is None or said is None:
            return None
        found, body, at = parts
        content = Content(said, header=found, body=body)
        return Segment(data[start:at], tuple(channel.carried(side, content))), at

    def _frame(self, side: From, kind: int, number: int, raw: bytes) -> Segment | None:
        """Return what to pass on in place of a frame, or None for the frame itself."""
        if kind == _METHOD:
            said = method(raw)
            return None if said is None else self._take(side, number, said, raw)
        channel = self._channels.get(number)
        content = channel.contents.get(side) if channel is not None else None
        if channel is None or content is None or kind not in (_CONTENT_HEADER, _BODY):
            return None
        if kind == _CONTENT_HEADER:
            _take_header(content, raw)
        else:
            _take_body(content, raw)
        if content.missing > 0:
            return Segment(b"")
        del channel.contents[side]
        return Segment(bytes(content.raw), tuple(channel.carried(side, content)))

    def _take(self, side: From, number: int, said: Any, raw: bytes) -> Segment | None:
        if not number:
            self._note(side, said)
            return None
        if isinstance(said, commands.Channel.CloseOk):
            self._channels.pop(number, None)
            return None
        channel = self._channels.get(number)
        if channel is None:
            channel = self._channels[number] = Channel(number, self._names)
        if isinstance(said, _CARRIES_CONTENT):
            unfinished = channel.contents.get(side)
            channel.contents[side] = Content(said, bytearray(raw))
            return Segment(bytes(unfinished.raw) if unfinished else b"")
        if channel.closing:
            return None
        events = tuple(channel.asked(said) if side == "subject" else channel.answered(said))
        return Segment(raw, events) if events else None

    def _note(self, side: From, said: Any) -> None:
        """Note what is said of the connection itself."""
        match said:
            case commands.Connection.OpenOk():
                self._opened = True
            case commands.Connection.CloseOk():
                self.buried = True
            case commands.Connection.Close() if side == "broker":
                self.buried = True


def _content(data: bytes, number: int, start: int) -> tuple[bytes, bytes, int] | None:
    """Return the header frame and the body of a message, and the end of its last frame; None unless all are there."""
    if len(data) - start < HEAD.size + _LEAST_HEADER:
        return None
    kind, channel, size = HEAD.unpack_from(data, start)
    at = start + HEAD.size + size + 1
    if kind != _CONTENT_HEADER or channel != number or size < _LEAST_HEADER:
        return None
    found, parts = data[start:at], []
    missing = int.from_bytes(found[HEAD.size + 4 : HEAD.size + 4 + _SIZE_OF_SIZE], "big")
    while missing > 0 and len(data) - at >= HEAD.size:
        kind, channel, size = HEAD.unpack_from(data, at)
        end = at + HEAD.size + size
        if kind != _BODY or channel != number or end >= len(data):
            return None
        parts.append(data[at + HEAD.size : end])
        missing, at = missing - size, end + 1
    return (found, b"".join(parts), at) if missing <= 0 and at <= len(data) else None


def _take_header(content: Content, raw: bytes) -> None:
    content.raw += raw
    content.header = raw
    size = raw[HEAD.size + 4 : -1][:_SIZE_OF_SIZE]  # the last byte is the end of the frame
    content.missing = int.from_bytes(size, "big") if len(size) == _SIZE_OF_SIZE else 0


def _take_body(content: Content, raw: bytes) -> None:
    content.raw += raw
    content.body += raw[HEAD.size : -1]
    content.missing -= len(raw) - HEAD.size - 1
