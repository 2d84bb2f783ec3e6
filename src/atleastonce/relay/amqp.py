"""AMQP 0-9-1 as the relay reads it: which deliveries, publications, confirms and acknowledgements passed.

Frames are cut by their headers; only methods that mean something for the ledger are decoded. Delivery tags
count per connection and channel, `multiple` and tag 0 are expanded, ``get-ok`` is a delivery, without
acknowledgements a delivery settles itself, and a closed channel gives everything back.
"""

import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pamqp import commands, frame, header
from pamqp.exceptions import PAMQPException

from atleastonce.history import Event
from atleastonce.relay.codec import COPY_HEADER, Codec, Connection, From, Names, Segment

_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_HEAD = struct.Struct(">BHI")
_METHOD, _CONTENT_HEADER, _BODY = 1, 2, 3
_CLASS_BASIC, _CLASS_CHANNEL, _CLASS_CONNECTION, _CLASS_QUEUE, _CLASS_CONFIRM = 60, 20, 10, 50, 85
_DECODED = {_CLASS_BASIC, _CLASS_CHANNEL, _CLASS_CONNECTION, _CLASS_QUEUE, _CLASS_CONFIRM}
_CARRIES_CONTENT = (
    commands.Basic.Publish,
    commands.Basic.Deliver,
    commands.Basic.GetOk,
    commands.Basic.Return,
)


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


@dataclass
class _Content:
    """A method that carries content, while its header and body are still coming."""

    method: Any
    raw: bytearray
    properties: commands.Basic.Properties | None = None
    missing: int = -1
    body: bytearray = field(default_factory=bytearray)


@dataclass
class _Owned:
    """What a delivery tag, or a publication's sequence number, stands for."""

    message: str | None
    copy: str | None
    queue: str


@dataclass
class _Channel:
    """What the relay must remember of one channel to understand what passes."""

    contents: dict[From, _Content] = field(default_factory=dict)
    unacked: dict[int, _Owned] = field(default_factory=dict)
    unconfirmed: dict[int, _Owned] = field(default_factory=dict)
    confirms: bool = False
    published: int = 0
    queue: str = ""
    consuming: deque[tuple[str, bool]] = field(default_factory=deque)
    getting: deque[tuple[str, bool]] = field(default_factory=deque)
    consumers: dict[str, tuple[str, bool]] = field(default_factory=dict)


class AmqpCodec:
    """One AMQP connection."""

    def __init__(self, names: Names) -> None:
        self.buried = False
        self._names = names
        self._buffers: dict[From, bytearray] = {"subject": bytearray(), "broker": bytearray()}
        self._channels: dict[int, _Channel] = {}
        self._greeted = False
        self._opened = False

    @property
    def subscribed(self) -> bool:
        """Whether a consumer was confirmed on any channel."""
        return any(channel.consumers for channel in self._channels.values())

    def received(self, side: From, data: bytes) -> list[Segment]:
        """Return every frame that is complete now (`Codec.received`)."""
        buffer = self._buffers[side]
        buffer += data
        if side == "subject" and not self._greeted:
            if len(buffer) < len(_PROTOCOL_HEADER):
                return []
            self._greeted = True
            greeting = bytes(buffer[: len(_PROTOCOL_HEADER)])
            del buffer[: len(_PROTOCOL_HEADER)]
            return [Segment(greeting), *self._segments(side, buffer)]
        return self._segments(side, buffer)

    def bury(self) -> bytes:
        """Send ``connection.close``: its close-ok proves that everything before it was processed.

        Also where the subject has sent one itself: the relay may have read it without passing it on.
        """
        if self.buried or not self._opened:
            self.buried = True
            return b""
        return frame.marshal(commands.Connection.Close(200, "the client is gone", 0, 0), 0)

    def closed(self) -> tuple[Event, ...]:
        """A connection that ends gives back whatever its channels held."""
        return tuple(Event(event="closed", side="broker", channel=number) for number in self._channels)

    def _segments(self, side: From, buffer: bytearray) -> list[Segment]:
        segments: list[Segment] = []
        plain = start = 0
        while len(buffer) - start >= _HEAD.size:
            kind, channel, size = _HEAD.unpack_from(buffer, start)
            end = start + _HEAD.size + size + 1
            if end > len(buffer):
                break
            taken = self._frame(side, kind, channel, buffer, start, end)
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

    def _frame(
        self, side: From, kind: int, number: int, buffer: bytearray, start: int, end: int
    ) -> Segment | None:
        """Return what to pass on in place of a frame, or None for the frame itself."""
        channel = self._channels.get(number)
        if kind == _METHOD:
            if int.from_bytes(buffer[start + 7 : start + 9], "big") not in _DECODED:
                return None
            raw = bytes(buffer[start:end])
            try:
                method = frame.unmarshal(raw)[2]
            except (PAMQPException, ValueError, struct.error):
                return None  # a method of a newer protocol: not ours to judge
            return self._method(side, number, method, raw)
        if channel is None or (content := channel.contents.get(side)) is None:
            return None
        raw = bytes(buffer[start:end])
        if kind == _CONTENT_HEADER:
            _take_header(content, raw)
        elif kind == _BODY:
            content.raw += raw
            content.body += raw[_HEAD.size : -1]
            content.missing -= len(raw) - _HEAD.size - 1
        else:
            return None
        if content.missing:
            return Segment(b"")
        del channel.contents[side]
        return Segment(bytes(content.raw), tuple(self._content(side, number, channel, content)))

    # -- methods

    def _method(self, side: From, number: int, method: Any, raw: bytes) -> Segment | None:
        channel = self._channels.setdefault(number, _Channel())
        if isinstance(method, _CARRIES_CONTENT):
            channel.contents[side] = _Content(method, bytearray(raw))
            return Segment(b"")
        if side == "subject":
            events = tuple(self._asked(number, channel, method))
        else:
            events = tuple(self._answered(number, channel, method))
        return Segment(raw, events) if events else None

    def _asked(self, number: int, channel: _Channel, method: Any) -> Iterator[Event]:
        match method:
            case commands.Basic.Ack():
                yield from _settled(number, channel, "ack", method.delivery_tag, method.multiple)
            case commands.Basic.Nack():
                yield from _settled(
                    number, channel, "nack", method.delivery_tag, method.multiple, requeue=method.requeue
                )
            case commands.Basic.Reject():
                yield from _settled(number, channel, "reject", method.delivery_tag, requeue=method.requeue)
            case commands.Basic.Consume():
                queue = method.queue or channel.queue
                channel.consuming.append((queue, method.no_ack))
                yield Event(event="consume", side="subject", channel=number, queue=queue)
            case commands.Basic.Get():
                channel.getting.append((method.queue or channel.queue, method.no_ack))
            case commands.Confirm.Select():
                channel.confirms = True
            case commands.Basic.Recover() | commands.Basic.RecoverAsync():
                channel.unacked.clear()
                yield Event(event="closed", side="subject", channel=number, note="recover")
            case commands.Channel.Close() | commands.Channel.CloseOk():
                yield from self._channel_closed("subject", number)
            case commands.Connection.CloseOk():
                self.buried = True

    def _answered(self, number: int, channel: _Channel, method: Any) -> Iterator[Event]:
        match method:
            case commands.Basic.Ack():
                yield from _confirmed(number, channel, method, ok=True)
            case commands.Basic.Nack():
                yield from _confirmed(number, channel, method, ok=False)
            case commands.Basic.ConsumeOk():
                channel.consumers[method.consumer_tag] = channel.consuming.popleft()
            case commands.Basic.Cancel() | commands.Basic.CancelOk():
                channel.consumers.pop(method.consumer_tag, None)
            case commands.Basic.GetEmpty():
                channel.getting.popleft()
            case commands.Queue.DeclareOk():
                channel.queue = method.queue
            case commands.Channel.Close():
                yield from self._channel_closed("broker", number, method.reply_text)
            case commands.Connection.OpenOk():
                self._opened = True
            case commands.Connection.CloseOk() | commands.Connection.Close():
                self.buried = True

    def _channel_closed(self, side: From, number: int, why: str = "") -> Iterator[Event]:
        if self._channels.pop(number, None) is not None and number:
            yield Event(event="closed", side=side, channel=number, note=why)

    # -- content

    def _content(self, side: From, number: int, channel: _Channel, content: _Content) -> Iterator[Event]:
        method = content.method
        message, copy = self._identified(content)
        size = len(content.body)
        match method:
            case commands.Basic.Publish():
                queue = f"{method.exchange}/{method.routing_key}" if method.exchange else method.routing_key
                if channel.confirms:
                    channel.published += 1
                    channel.unconfirmed[channel.published] = _Owned(message, copy, queue)
                tag = channel.published if channel.confirms else 0
                yield Event(
                    event="publish", side=side, channel=number, tag=tag, message=message, copy=copy,
                    queue=queue, size=size,
                )  # fmt: skip
            case commands.Basic.Return():
                queue = method.routing_key
                yield Event(
                    event="return", side=side, channel=number, message=message, copy=copy, queue=queue,
                    note=method.reply_text,
                )  # fmt: skip
            case _:
                queue, no_ack = _source(channel, method)
                if not no_ack:
                    channel.unacked[method.delivery_tag] = _Owned(message, copy, queue)
                yield Event(
                    event="deliver", side=side, channel=number, tag=method.delivery_tag, message=message,
                    copy=copy, queue=queue, redelivered=method.redelivered, settles=no_ack, size=size,
                )  # fmt: skip

    def _identified(self, content: _Content) -> tuple[str | None, str | None]:
        properties = content.properties or commands.Basic.Properties()
        headers = properties.headers or {}
        message, copy = self._names.copy(headers.get(COPY_HEADER))
        if message is None:
            fields = (properties.message_id, properties.correlation_id)
            marks = (str(value).encode() for value in fields if value)
            message = self._names.message(
                bytes(content.body), *marks, repr(headers).encode() if headers else b""
            )
        return message, copy


def _take_header(content: _Content, raw: bytes) -> None:
    content.raw += raw
    try:
        parsed = frame.unmarshal(raw)[2]
    except (PAMQPException, ValueError, struct.error):
        content.missing = struct.unpack_from(">Q", raw, _HEAD.size + 4)[0]
        return
    if isinstance(parsed, header.ContentHeader):
        content.missing = parsed.body_size
        content.properties = parsed.properties


def _source(channel: _Channel, method: Any) -> tuple[str, bool]:
    """Return the queue that a delivery comes from, and whether it settles itself."""
    if isinstance(method, commands.Basic.GetOk):
        return channel.getting.popleft() if channel.getting else (method.routing_key, False)
    return channel.consumers.get(method.consumer_tag, (method.routing_key, False))


def _settled(
    number: int, channel: _Channel, event: str, tag: int, multiple: bool = False, *, requeue: bool = False
) -> Iterator[Event]:
    for each in _covered(channel.unacked, tag, multiple):
        owned = channel.unacked.pop(each)
        yield Event(
            event=event, side="subject", channel=number, tag=each, message=owned.message, copy=owned.copy,
            queue=owned.queue, requeue=requeue, settles=not requeue,
        )  # fmt: skip


def _confirmed(number: int, channel: _Channel, method: Any, *, ok: bool) -> Iterator[Event]:
    for each in _covered(channel.unconfirmed, method.delivery_tag, method.multiple):
        owned = channel.unconfirmed.pop(each)
        yield Event(
            event="confirm", side="broker", channel=number, tag=each, message=owned.message, copy=owned.copy,
            queue=owned.queue, ok=ok,
        )  # fmt: skip


def _covered(outstanding: dict[int, _Owned], tag: int, multiple: bool) -> list[int]:
    """Return the outstanding tags that `tag` covers; tag 0 with `multiple` is all of them."""
    if not multiple:
        return [tag] if tag in outstanding else []
    return [each for each in outstanding if tag == 0 or each <= tag]
