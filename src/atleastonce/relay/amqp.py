"""AMQP 0-9-1 as the relay reads it: cuts frames, decodes what means something, ends a connection in order.

Messages are passed on whole, once their last frame is there. What a frame means is the business of
`relay.amqp_channel`; whatever is unknown, and a link that speaks something else, passes untouched.
"""

import struct
from collections.abc import Awaitable, Callable
from typing import Any

from pamqp import commands, frame, header
from pamqp.exceptions import PAMQPException

from atleastonce.history import Event
from atleastonce.relay.amqp_channel import Channel, Content
from atleastonce.relay.codec import Codec, Connection, From, Names, Segment

_GREETING, _GREETING_SIZE = b"AMQP", 8
_HEAD = struct.Struct(">BHI")
_METHOD, _CONTENT_HEADER, _BODY = 1, 2, 3
_SIZE_OF_SIZE = 8
_CLASS_BASIC, _CLASS_CHANNEL, _CLASS_CONNECTION, _CLASS_QUEUE, _CLASS_CONFIRM = 60, 20, 10, 50, 85
_DECODED = {_CLASS_BASIC, _CLASS_CHANNEL, _CLASS_CONNECTION, _CLASS_QUEUE, _CLASS_CONFIRM}
_CARRIES_CONTENT = (
    commands.Basic.Publish,
    commands.Basic.Deliver,
    commands.Basic.GetOk,
    commands.Basic.Return,
)
_UNREADABLE = (PAMQPException, ValueError, struct.error)


class AmqpWire:
    """AMQP for all the links of one subject; they have nothing in common."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def codec(self, link: int) -> Codec:  # noqa: ARG002 - the relay stamps events with the link itself
        """Return a codec for a new link."""
        return AmqpCodec(self._names)

    async def farewell(self, connect: Callable[[], Awaitable[Connection]]) -> tuple[Event, ...]:  # noqa: ARG002
        """Do nothing: RabbitMQ forgets a consumer with its connection."""
        return ()


class AmqpCodec:
    """One AMQP connection."""

    def __init__(self, names: Names) -> None:
        self.buried = False
        self._names = names
        self._buffers: dict[From, bytearray] = {"subject": bytearray(), "broker": bytearray()}
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
        buffer = self._buffers[side]
        buffer += data
        if self._foreign:
            whole = bytes(buffer)
            buffer.clear()
            return [Segment(whole)]
        if side not in self._fresh:
            return self._segments(side, buffer)
        if len(buffer) < _GREETING_SIZE:
            return []
        self._fresh.discard(side)
        greets = buffer.startswith(_GREETING)  # the broker only where it refuses the subject's version
        self._foreign = side == "subject" and not greets
        size = len(buffer) if self._foreign else _GREETING_SIZE if greets else 0
        greeting = bytes(buffer[:size])
        del buffer[:size]
        return [*([Segment(greeting)] if greeting else []), *self._segments(side, buffer)]

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

    def _segments(self, side: From, buffer: bytearray) -> list[Segment]:
        """Take every complete frame out of a buffer; neighbours without events become one segment."""
        segments: list[Segment] = []
        plain = start = 0
        while len(buffer) - start >= _HEAD.size:
            kind, number, size = _HEAD.unpack_from(buffer, start)
            end = start + _HEAD.size + size + 1
            if end > len(buffer):
                break
            taken = self._frame(side, kind, number, bytes(buffer[start:end]))
            if taken is not None:
                if plain < start:
                    segments.append(Segment(bytes(buffer[plain:start])))
                if taken.data:
                    segments.append(taken)
                plain = end
            start = end
        if plain < start:
            segments.append(Segment(bytes(buffer[plain:start])))
        del buffer[:start]
        return segments

    def _frame(self, side: From, kind: int, number: int, raw: bytes) -> Segment | None:
        """Return what to pass on in place of a frame, or None for the frame itself."""
        if kind == _METHOD:
            method = _method(raw)
            return None if method is None else self._take(side, number, method, raw)
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

    def _take(self, side: From, number: int, method: Any, raw: bytes) -> Segment | None:
        match method:
            case commands.Connection.OpenOk():
                self._opened = True
            case commands.Connection.CloseOk():
                self.buried = True
            case commands.Connection.Close() if side == "broker":
                self.buried = True
            case commands.Channel.CloseOk():
                self._channels.pop(number, None)
        if not number or isinstance(method, commands.Channel.CloseOk):
            return None
        channel = self._channels.setdefault(number, Channel(number, self._names))
        if isinstance(method, _CARRIES_CONTENT):
            unfinished = channel.contents.get(side)
            channel.contents[side] = Content(method, bytearray(raw))
            return Segment(bytes(unfinished.raw) if unfinished else b"")
        if channel.closing:
            return None
        events = tuple(channel.asked(method) if side == "subject" else channel.answered(method))
        return Segment(raw, events) if events else None


def _method(raw: bytes) -> Any:
    """Return the method in a frame, or None where it means nothing here or is of a newer protocol."""
    if int.from_bytes(raw[_HEAD.size : _HEAD.size + 2], "big") not in _DECODED:
        return None
    try:
        return frame.unmarshal(raw)[2]
    except _UNREADABLE:
        return None


def _take_header(content: Content, raw: bytes) -> None:
    content.raw += raw
    size = raw[_HEAD.size + 4 : -1][:_SIZE_OF_SIZE]  # the last byte is the end of the frame
    content.missing = int.from_bytes(size, "big") if len(size) == _SIZE_OF_SIZE else 0
    try:
        parsed = frame.unmarshal(raw)[2]
    except _UNREADABLE:
        return
    if isinstance(parsed, header.ContentHeader):
        content.properties = parsed.properties


def _take_body(content: Content, raw: bytes) -> None:
    content.raw += raw
    content.body += raw[_HEAD.size : -1]
    content.missing -= len(raw) - _HEAD.size - 1
