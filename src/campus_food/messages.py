"""What travels between the services: `OrderPlaced` in, `InventoryReserved` and `InventoryFailed` out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from campus_food.domain import Refused, Reserved

MAX_BODY = 64 * 1024  # bytes
MAX_ITEMS = 50
MAX_TEXT = 255  # bytes in UTF-8: what an AMQP message id can hold

RESERVED = "InventoryReserved"
FAILED = "InventoryFailed"

FIELDS = ("order_id", "user_id", "items", "message_id", "timestamp")


class BadMessage(ValueError):  # noqa: N818 - it names what the message is; the service is fine
    """The bytes are no such message; the text names the field, what is expected and what was found."""


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """One order: `items` are pieces by name; `message_id` is the same for every copy of this message."""

    message_id: str
    order_id: str
    user_id: str
    items: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the other services: `message_id` is its identity however often it is published."""

    message_id: str
    kind: str
    order_id: str
    body: str


def parse_order(body: bytes | None, message_id: str | None = None) -> OrderPlaced:
    """Read an `OrderPlaced`; `message_id` is the one that came beside the body, where there was one.

    Raises `BadMessage`: such bytes stay bad however often they are delivered.
    """
    fields = _object(body)
    for name in fields.keys() - set(FIELDS):
        raise BadMessage(f"{name!r}: unknown field; known are {', '.join(FIELDS)}")
    if "timestamp" in fields:
        _text(fields, "timestamp")
    return OrderPlaced(
        message_id=_identity(fields, message_id),
        order_id=_text(fields, "order_id"),
        user_id=_text(fields, "user_id"),
        items=_items(fields.get("items")),
    )


def outcome(order: OrderPlaced, decision: Reserved | Refused, message_id: str, timestamp: str) -> Event:
    """Tell what became of an order; `timestamp` is ISO 8601 with an offset."""
    content: dict[str, Any] = {
        "order_id": order.order_id,
        "user_id": order.user_id,
        "items": dict(order.items),
        "message_id": message_id,
        "timestamp": timestamp,
    }
    kind = RESERVED
    if isinstance(decision, Refused):
        kind = FAILED
        content["reason"] = decision.reason
    return Event(message_id, kind, order.order_id, json.dumps(content, sort_keys=True))


def _object(body: bytes | None) -> dict[str, Any]:
    if body is None or len(body) > MAX_BODY:
        found = "nothing" if body is None else f"{len(body)} bytes"
        raise BadMessage(f"body: expected JSON of at most {MAX_BODY} bytes, found {found}")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:  # RecursionError: brackets nested by the thousand
        raise BadMessage(f"body: expected JSON, found {body[:40]!r} ({error})") from error
    if not isinstance(content, dict):
        raise BadMessage(f"body: expected an object, found {type(content).__name__}")
    return content


def _identity(fields: Mapping[str, Any], beside: str | None) -> str:
    if "message_id" not in fields:
        return _text({"message_id": beside}, "message_id")
    inside = _text(fields, "message_id")
    if beside not in {None, inside}:
        # To guess which is right would apply an order twice, or drop one, without anybody noticing.
        raise BadMessage(f"message_id: the body says {inside!r}, the properties say {beside!r}")
    return inside


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not _storable(value):
        raise BadMessage(f"{name}: expected text of 1 to {MAX_TEXT} bytes, found {_shown(value)}")
    return value


def _storable(text: str) -> bool:
    """Whether every database takes it: PostgreSQL refuses NUL, none takes half a surrogate pair."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= size <= MAX_TEXT and "\0" not in text


def _items(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_ITEMS:
        raise BadMessage(f"items: expected an object of 1 to {MAX_ITEMS} items, found {_shown(value)}")
    for name, quantity in value.items():
        if not _storable(name):
            raise BadMessage(f"items: expected names of 1 to {MAX_TEXT} bytes, found {_shown(name)}")
        if type(quantity) is not int or quantity < 1:  # isinstance would let `true` pass as 1
            raise BadMessage(f"items.{name}: expected a whole number from 1, found {_shown(quantity)}")
    return value


def _shown(value: Any) -> str:
    return ascii(value)[:60]
