"""What the reference services take for a message, and what they say."""

import json
from typing import Any

import pytest

from campus_food.domain import Refused, Reserved
from campus_food.messages import (
    FAILED,
    MAX_BODY,
    RESERVED,
    BadMessage,
    OrderPlaced,
    OrderRequest,
    Outcome,
    TooLarge,
    outcome,
    parse_order,
    parse_outcome,
    parse_request,
    placed,
)

ORDER: dict[str, Any] = {"message_id": "m1", "order_id": "o1", "user_id": "u1", "items": {"burger": 2}}


def body(**changes: Any) -> bytes:
    """Encode an order with some fields replaced."""
    return json.dumps(ORDER | changes).encode()


def without(name: str) -> bytes:
    """Encode an order that lacks a field."""
    return json.dumps({key: value for key, value in ORDER.items() if key != name}).encode()


def test_an_order_is_read() -> None:
    """The time is accepted, and means nothing to the inventory."""
    expected = OrderPlaced("m1", "o1", "u1", {"burger": 2})
    assert parse_order(body()) == expected
    assert parse_order(body(timestamp="2026-02-17T14:33:00Z"), "m1") == expected


def test_the_message_id_may_stand_beside_the_body() -> None:
    """Properties or headers carry it where the body does not."""
    assert parse_order(without("message_id"), "m2").message_id == "m2"


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (None, "body: expected JSON, found nothing"),
        (b"", "body: expected JSON"),
        (b'{"order_id": "poison", "invalid": json}', "body: expected JSON"),
        (b"\xff\xfe\x00", "body: expected JSON"),
        (b"[" * 60_000, "body: expected JSON"),
        (b'{"items": ' + b"9" * 5000 + b"}", "body: expected JSON"),
        (b" " * (MAX_BODY + 1), "found 65537 bytes"),
        (b"[]", "body: expected an object, found list"),
        (body(extra=1), "extra: unknown field"),
        (body(timestamp=7), "timestamp: expected text"),
        (body(order_id=""), "order_id: expected text"),
        (body(order_id="o" * 256), "order_id: expected text"),
        (body(user_id="half a \ud83d"), "user_id: expected text"),
        (body(user_id="nul \0"), "user_id: expected text"),
        (without("user_id"), "user_id: expected text of 1 to 255 bytes, found None"),
        (without("message_id"), "message_id: expected text"),
        (body(items={}), "items: expected an object of 1 to 50 items"),
        (body(items=["burger"]), "items: expected an object"),
        (body(items={str(n): 1 for n in range(51)}), "items: expected an object of 1 to 50 items"),
        (body(items={"": 1}), "items: expected names"),
        (body(items={"burger": 0}), "items.burger: expected a whole number from 1, found 0"),
        (body(items={"burger": True}), "items.burger: expected a whole number from 1, found True"),
        (
            body(items={"burger": 2**63}),
            "items.burger: expected a whole number from 1, found 9223372036854775808",
        ),
        (body(items={"burger": 1.0}), "items.burger: expected a whole number from 1, found 1.0"),
    ],
)
def test_poison_is_told_apart_with_the_reason(poison: bytes | None, reason: str) -> None:
    """Whatever the bytes are, the answer is `BadMessage`, which names the field."""
    with pytest.raises(BadMessage) as caught:
        parse_order(poison)
    assert reason in str(caught.value)


def test_two_message_ids_that_differ_are_poison() -> None:
    """To choose one would be to guess which order this is."""
    with pytest.raises(BadMessage, match="the body says 'm1', the properties say 'm2'"):
        parse_order(body(), "m2")


def test_outcomes() -> None:
    """An outcome carries its own id, the order, and the reason where it failed."""
    order = parse_order(body())
    said = {"order_id": "o1", "user_id": "u1", "items": {"burger": 2}, "message_id": "x", "timestamp": "t"}
    reserved = outcome(order, Reserved({"burger": 98}), "x", "t")
    failed = outcome(order, Refused("too little stock: burger"), "x", "t")
    assert (reserved.message_id, reserved.kind, reserved.order_id) == ("x", "InventoryReserved", "o1")
    assert json.loads(reserved.body) == said
    assert failed.kind == "InventoryFailed"
    assert json.loads(failed.body) == said | {"reason": "too little stock: burger"}


def test_what_inventory_says_notification_reads() -> None:
    """Whatever order is read, its outcome is small enough and sound for the next service."""
    names = {f"{number}" + "\x01" * 200: 1 for number in range(50)}
    order = parse_order(body(items=names))
    event = outcome(order, Refused(f"unknown item: {', '.join(names)}"), "x", "t")
    told = parse_outcome(FAILED, event.body.encode(), "x")
    assert (told.order_id, told.items) == ("o1", names)
    event = outcome(order, Reserved({}), "x", "t")
    assert parse_outcome(RESERVED, event.body.encode(), "x").reason == ""


def test_an_outcome_is_read() -> None:
    """A failure has a reason."""
    expected = Outcome("m1", FAILED, "o1", "u1", {"burger": 2}, "too little stock")
    assert parse_outcome(FAILED, body(reason="too little stock"), "m1") == expected


@pytest.mark.parametrize(
    ("kind", "poison", "reason"),
    [
        (RESERVED, body(reason="why?"), "reason: unknown field"),
        (FAILED, body(), "reason: expected text"),
        (FAILED, body(reason=7), "reason: expected text"),
        (RESERVED, body(items={"burger": 0}), "items.burger: expected a whole number"),
        (RESERVED, without("order_id"), "order_id: expected text"),
        (RESERVED, b'["an array"]', "body: expected an object"),
        (RESERVED, b" " * (3 * MAX_BODY + 1), "found 196609 bytes"),
    ],
)
def test_a_poisonous_outcome_is_told_apart(kind: str, poison: bytes, reason: str) -> None:
    """Outcomes are read as strictly as orders."""
    with pytest.raises(BadMessage) as caught:
        parse_outcome(kind, poison)
    assert reason in str(caught.value)


def test_a_request_becomes_a_message() -> None:
    """What a person asks for is in it, with the ids that it was given, and the inventory can read it."""
    asked = parse_request(b'{"user_id": "u1", "items": {"burger": 2}}')
    event = placed(asked, "o1", "m1", "t")
    assert parse_order(event.body.encode(), "m1") == OrderPlaced("m1", "o1", "u1", {"burger": 2})
    assert json.loads(event.body).keys() == {"order_id", "user_id", "items", "message_id", "timestamp"}


def test_a_request_names_no_ids() -> None:
    """They are the service's to give."""
    with pytest.raises(BadMessage) as caught:
        parse_request(body())
    assert caught.value.field in {"order_id", "message_id"}


def test_an_order_that_just_fits_is_refused_before_it_becomes_poison() -> None:
    """With its ids it would be larger than its consumer accepts."""
    name = "\x01" * 216
    items = {f"{name}{number}": 1 for number in range(50)}
    asked = parse_request(json.dumps({"user_id": "u", "items": items}).encode())
    with pytest.raises(TooLarge, match="fits into 65536 bytes"):
        placed(OrderRequest(asked.user_id, asked.items), "o" * 255, "m" * 255, "t")
