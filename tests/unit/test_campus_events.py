"""What travels on the topics."""

import json
from datetime import UTC, datetime

import pytest

from campus_food.kafka import events
from campus_food.kafka.events import OrderPlaced, read_event, read_order
from campus_food.messages import BadMessage, TooLarge

GOOD = {"order_id": "o1", "user_id": "u1", "items": {"item_0": 2}, "timestamp": "2026-02-17T14:33:00Z"}
ORDER = OrderPlaced("o1", "u1", {"item_0": 2, "item_1": 1}, datetime(2026, 2, 17, 14, 33, tzinfo=UTC))


def test_an_order_is_read() -> None:
    """With a message id or without; a text may spell NUL's escape without holding NUL."""
    for more in ({}, {"message_id": "m1"}, {"user_id": "\\u0000"}):
        assert read_order(json.dumps(GOOD | more).encode()).items == {"item_0": 2}


@pytest.mark.parametrize(
    "more",
    [
        {"items": {}},
        {"items": {"item_0": 0}},
        {"items": {"item_0": 1.5}},
        {"items": {"item_0": True}},
        {"items": {"": 1}},
        {"items": {"nul\0": 1}},
        {"items": {f"item_{n}": 1 for n in range(51)}},
        {"order_id": ""},
        {"order_id": "x" * 256},
        {"user_id": "nul\0"},
        {"user_id": None},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-02-17T14:33:00"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_is_no_order(more: dict[str, object]) -> None:
    """Whatever is wrong with it, it is one kind of error."""
    with pytest.raises(BadMessage):
        read_order(json.dumps(GOOD | more).encode())


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"{", b"[]", b"null", b"[" * 60_000])
def test_bytes_that_are_no_object(value: bytes | None) -> None:
    """Nothing, no text, half a text, something else."""
    with pytest.raises(BadMessage):
        read_order(value)
    with pytest.raises(BadMessage):
        read_event(value)


def test_a_large_order_is_too_large() -> None:
    """It is not even read."""
    with pytest.raises(TooLarge, match="at most 65536 bytes"):
        read_order(b" " * 65_537)


def test_what_is_said_of_a_granted_order() -> None:
    """Each item in words, then the outcome, under ids that are the same however often it is said."""
    told = list(events.reserved(ORDER))
    assert [(each.event_id, getattr(each, "event", "")) for each in told] == [
        ("o1/1", "reserve 2 of item_0"),
        ("o1/2", "reserve 1 of item_1"),
        ("o1/0", ""),
    ]
    assert [read_event(events.encode(each)) for each in told] == told


def test_what_is_said_of_a_refused_order() -> None:
    """One event, with the reason, and the order's own time."""
    (told,) = events.failed(ORDER, "too little stock: item_0")
    assert json.loads(events.encode(told)) == {
        "type": "InventoryFailed",
        "event_id": "o1/0",
        "order_id": "o1",
        "timestamp": "2026-02-17T14:33:00Z",
        "user_id": "u1",
        "items": {"item_0": 2, "item_1": 1},
        "reason": "too little stock: item_0",
    }
