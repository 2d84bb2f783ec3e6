"""What travels on the topics, as msgspec reads and writes it: orders, inventory events, and outcomes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from campus_food.messages import (
    FAILED,
    MAX_BODY,
    MAX_EVENT,
    MAX_ITEMS,
    MAX_QUANTITY,
    MAX_TEXT,
    RESERVED,
    BadMessage,
    TooLarge,
    storable,
)

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Items = Annotated[dict[Text, Quantity], Meta(min_length=1, max_length=MAX_ITEMS)]
Instant = Annotated[datetime, Meta(tz=True)]
"""Event time: with an offset, since without one it would mean another moment on another machine."""

# How JSON spells NUL, which PostgreSQL does not store; rare enough that only bytes with it are looked at twice.
_NUL = b"\\u0000"


# None of these can be a part of a cycle, so the garbage collector need not look at them (`gc=False`): there are
# thousands at any time.


class OrderPlaced(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One order: `items` are pieces by name; `timestamp` is when it was placed."""

    order_id: Text
    user_id: Text
    items: Items
    timestamp: Instant
    message_id: Text | None = None
    """For those who tell messages apart by it; here the order's id is the identity."""


class Event(Struct, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="type"):
    """What the inventory says about an order; `event_id` is the same however often it is said.

    `timestamp` is that of the order: nothing here depends on when it was handled.
    """

    event_id: str
    order_id: str
    timestamp: Instant


class ItemReserved(Event, frozen=True, gc=False, tag="ItemReserved"):
    """So many pieces of one item were taken for the order; `event` is this in words."""

    event: str
    item: str
    quantity: int


class InventoryReserved(Event, frozen=True, gc=False, tag=RESERVED):
    """The order is granted whole."""

    user_id: str
    items: dict[str, int]


class InventoryFailed(Event, frozen=True, gc=False, tag=FAILED):
    """The order gets nothing."""

    user_id: str
    items: dict[str, int]
    reason: str


encode = msgspec.json.Encoder().encode
_order = msgspec.json.Decoder(OrderPlaced).decode
_event = msgspec.json.Decoder(ItemReserved | InventoryReserved | InventoryFailed).decode


def read_order(value: bytes | None) -> OrderPlaced:
    """Read an order; raises `BadMessage`: such bytes stay bad however often they are delivered."""
    order: OrderPlaced = _read(_order, value, MAX_BODY)
    return order


def read_event(value: bytes | None) -> Event:
    """Read what the inventory says; raises `BadMessage`."""
    event: Event = _read(_event, value, MAX_EVENT)
    return event


def reserved(order: OrderPlaced) -> Iterator[Event]:
    """Yield what is said of an order that is granted: each item, then the order."""
    order_id, timestamp = order.order_id, order.timestamp
    for number, (item, quantity) in enumerate(order.items.items(), 1):
        said = f"reserve {quantity} of {item}"
        yield ItemReserved(f"{order_id}/{number}", order_id, timestamp, said, item, quantity)
    yield InventoryReserved(f"{order_id}/0", order_id, timestamp, order.user_id, order.items)


def failed(order: OrderPlaced, reason: str) -> Iterator[Event]:
    """Yield what is said of an order that gets nothing."""
    order_id = order.order_id
    yield InventoryFailed(f"{order_id}/0", order_id, order.timestamp, order.user_id, order.items, reason)


def _read(decode: Any, value: bytes | None, at_most: int) -> Any:
    if value is None:
        raise BadMessage("value", "expected JSON, found nothing")
    if len(value) > at_most:
        raise TooLarge("value", f"expected JSON of at most {at_most} bytes, found {len(value)} bytes")
    try:
        content = decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage("value", f"{error}, found {value[:40]!r}") from error
    if _NUL in value:
        _refuse_nul(content)
    return content


def _refuse_nul(content: Any) -> None:
    """Raise `BadMessage` where a text really holds NUL, and does not only spell a backslash before `u0000`."""
    if not _stored_whole(msgspec.to_builtins(content)):
        raise BadMessage("value", "expected text without NUL")


def _stored_whole(content: Any) -> bool:
    if isinstance(content, dict):
        return all(storable(name) and _stored_whole(value) for name, value in content.items())
    return not isinstance(content, str) or storable(content, MAX_EVENT)
