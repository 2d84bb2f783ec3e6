"""What travels: orders as they are asked for, `OrderPlaced`, `InventoryReserved` and `InventoryFailed`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campus_food.domain import Refused, Reserved

MAX_BODY = 64 * 1024  # bytes
# An outcome repeats the order, and may name each item again in its reason.
MAX_EVENT = 3 * MAX_BODY
MAX_QUANTITY = 2**63 - 1  # what a database can hold
MAX_ITEMS = 50
MAX_TEXT = 255  # bytes in UTF-8: what an AMQP message id can hold

PLACED = "OrderPlaced"
RESERVED = "InventoryReserved"
FAILED = "InventoryFailed"

ASKED = ("user_id", "items")
FIELDS = ("order_id", *ASKED, "message_id", "timestamp")


class BadMessage(ValueError):  # noqa: N818 - it names what the message is; the service is fine
    """The bytes are no such message; the text names the field, what is expected and what was found."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field


class TooLarge(BadMessage):
    """The body is longer than any message may be."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a person asks for: `items` are pieces by name."""

    user_id: str
    items: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """One order: `items` are pieces by name; `message_id` is the same for every copy of this message."""

    message_id: str
    order_id: str
    user_id: str
    items: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order: `kind` is `RESERVED` or `FAILED`; `reason` is empty for the first."""

    message_id: str
    kind: str
    order_id: str
    user_id: str
    items: Mapping[str, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell the other services: `message_id` is its identity however often it is published."""

    message_id: str
    kind: str
    order_id: str
    body: str


def parse_request(body: bytes) -> OrderRequest:
    """Read what a person asks for; raises `BadMessage`."""
    fields = _object(body, MAX_BODY, ASKED)
    return OrderRequest(_text(fields, "user_id"), _items(fields.get("items")))


def parse_order(body: bytes | None, message_id: str | None = None) -> OrderPlaced:
    """Read an `OrderPlaced`; `message_id` is the one that came beside the body, where there was one.

    Raises `BadMessage`: such bytes stay bad however often they are delivered.
    """
    fields = _object(body, MAX_BODY, FIELDS)
    return OrderPlaced(
        message_id=_identity(fields, message_id),
        order_id=_text(fields, "order_id"),
        user_id=_text(fields, "user_id"),
        items=_items(fields.get("items")),
    )


def parse_outcome(kind: str, body: bytes, message_id: str | None = None) -> Outcome:
    """Read an event of this kind; raises `BadMessage`."""
    fields = _object(body, MAX_EVENT, (*FIELDS, "reason") if kind == FAILED else FIELDS)
    return Outcome(
        message_id=_identity(fields, message_id),
        kind=kind,
        order_id=_text(fields, "order_id"),
        user_id=_text(fields, "user_id"),
        items=_items(fields.get("items")),
        reason=_text(fields, "reason", MAX_EVENT) if kind == FAILED else "",
    )


def placed(asked: OrderRequest, order_id: str, message_id: str, timestamp: str) -> Event:
    """Make the message that an order becomes; raise `BadMessage` where its consumer would find it too large."""
    content = {"order_id": order_id, "user_id": asked.user_id, "items": dict(asked.items)}
    event = _event(PLACED, content, message_id, timestamp)
    if len(event.body.encode()) > MAX_BODY:
        raise TooLarge("body", f"expected an order that fits into {MAX_BODY} bytes with its ids")
    return event


def outcome(order: OrderPlaced, decision: Reserved | Refused, message_id: str, timestamp: str) -> Event:
    """Tell what became of an order; `timestamp` is ISO 8601 with an offset."""
    content = {"order_id": order.order_id, "user_id": order.user_id, "items": dict(order.items)}
    if isinstance(decision, Refused):
        return _event(FAILED, content | {"reason": decision.reason}, message_id, timestamp)
    return _event(RESERVED, content, message_id, timestamp)


def _event(kind: str, content: Mapping[str, Any], message_id: str, timestamp: str) -> Event:
    whole = {**content, "message_id": message_id, "timestamp": timestamp}
    # Text stays as it is: escaped, an order that just fits would come out too large.
    body = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return Event(message_id, kind, content["order_id"], body)


def _object(body: bytes | None, at_most: int, known: Sequence[str]) -> dict[str, Any]:
    if body is None:
        raise BadMessage("body", "expected JSON, found nothing")
    if len(body) > at_most:
        raise TooLarge("body", f"expected JSON of at most {at_most} bytes, found {len(body)} bytes")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError) as error:  # RecursionError: brackets nested by the thousand
        raise BadMessage("body", f"expected JSON, found {body[:40]!r} ({error})") from error
    if not isinstance(content, dict):
        raise BadMessage("body", f"expected an object, found {type(content).__name__}")
    for name in content.keys() - set(known):
        raise BadMessage(name, f"unknown field; known are {', '.join(known)}")
    if "timestamp" in content:
        _text(content, "timestamp")
    return content


def _identity(fields: Mapping[str, Any], beside: str | None) -> str:
    if "message_id" not in fields:
        return _text({"message_id": beside}, "message_id")
    inside = _text(fields, "message_id")
    if beside not in {None, inside}:
        # To guess which is right would apply an order twice, or drop one, without anybody noticing.
        raise BadMessage("message_id", f"the body says {inside!r}, the properties say {beside!r}")
    return inside


def _text(fields: Mapping[str, Any], name: str, at_most: int = MAX_TEXT) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not storable(value, at_most):
        raise BadMessage(name, f"expected text of 1 to {at_most} bytes, found {_shown(value)}")
    return value


def storable(text: str, at_most: int = MAX_TEXT) -> bool:
    """Whether every database takes it: PostgreSQL refuses NUL, none takes half a surrogate pair."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return 1 <= size <= at_most and "\0" not in text


def _items(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_ITEMS:
        raise BadMessage("items", f"expected an object of 1 to {MAX_ITEMS} items, found {_shown(value)}")
    for name, quantity in value.items():
        if not storable(name):
            raise BadMessage("items", f"expected names of 1 to {MAX_TEXT} bytes, found {_shown(name)}")
        if type(quantity) is not int or not 1 <= quantity <= MAX_QUANTITY:  # isinstance takes `true` for 1
            raise BadMessage(f"items.{name}", f"expected a whole number from 1, found {_shown(quantity)}")
    return value


def _shown(value: Any) -> str:
    return ascii(value)[:60]
