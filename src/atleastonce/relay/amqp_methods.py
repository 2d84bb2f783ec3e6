"""AMQP methods as objects: those that pass by the thousand are read here, all others by pamqp.

pamqp decodes any method, one argument after the other, in ten times as long.
"""

import struct
from typing import Any, NamedTuple

from pamqp import frame
from pamqp.exceptions import PAMQPException

HEAD = struct.Struct(">BHI")
"""What every frame begins with: its type, channel and size. It ends with one byte more."""
UNREADABLE = (PAMQPException, ValueError, struct.error)

_END = 0xCE
_ARGUMENTS = HEAD.size + 4
"""Where the arguments of a method begin, behind its class and number."""
_SETTLEMENT = struct.Struct(">QB")
_CLASS_BASIC, _CLASS_CHANNEL, _CLASS_CONNECTION, _CLASS_QUEUE, _CLASS_CONFIRM = 60, 20, 10, 50, 85
_CLASS_TX = 90
_DECODED = {_CLASS_BASIC, _CLASS_CHANNEL, _CLASS_CONNECTION, _CLASS_QUEUE, _CLASS_CONFIRM, _CLASS_TX}


class Publish(NamedTuple):
    """``basic.publish``."""

    exchange: str
    routing_key: str


class Deliver(NamedTuple):
    """``basic.deliver``."""

    consumer_tag: str
    delivery_tag: int
    redelivered: bool
    routing_key: str


class Ack(NamedTuple):
    """``basic.ack``, of either side."""

    delivery_tag: int
    multiple: bool


def carries(data: bytes, start: int) -> bool:
    """Tell whether the method in the frame at that place is one of the usual two that carry a message."""
    return data[start + HEAD.size : start + _ARGUMENTS] in _MESSAGES


def method(raw: bytes) -> Any:
    """Return the method in a frame, or None where it means nothing here, or is of a newer protocol or none at all."""
    quick = _QUICK.get(raw[HEAD.size : _ARGUMENTS])
    try:
        if quick is not None and raw[-1] == _END:
            return quick(raw, _ARGUMENTS)
        known = int.from_bytes(raw[HEAD.size : HEAD.size + 2], "big") in _DECODED
        return frame.unmarshal(raw)[2] if known else None
    except UNREADABLE:
        return None


def _publish(raw: bytes, at: int) -> Publish:
    exchange, at = _text(raw, at + 2)  # behind what is reserved
    return Publish(exchange, _text(raw, at)[0])


def _deliver(raw: bytes, at: int) -> Deliver:
    consumer, at = _text(raw, at)
    tag, again = _SETTLEMENT.unpack_from(raw, at)
    _, at = _text(raw, at + _SETTLEMENT.size)
    return Deliver(consumer, tag, bool(again & 1), _text(raw, at)[0])


def _ack(raw: bytes, at: int) -> Ack:
    tag, bits = _SETTLEMENT.unpack_from(raw, at)
    return Ack(tag, bool(bits & 1))


def _text(raw: bytes, at: int) -> tuple[str, int]:
    """Return the short string at that place, and the place behind it."""
    end = at + 1 + raw[at] if at < len(raw) else len(raw)
    if end >= len(raw):  # the last byte is the end of the frame
        raise ValueError("a text reaches behind the end of its frame")
    return raw[at + 1 : end].decode(), end


_PUBLISH, _DELIVER = bytes((0, _CLASS_BASIC, 0, 40)), bytes((0, _CLASS_BASIC, 0, 60))
_MESSAGES = {_PUBLISH, _DELIVER}
_QUICK = {
    _PUBLISH: _publish,
    _DELIVER: _deliver,
    bytes((0, _CLASS_BASIC, 0, 80)): _ack,
}
