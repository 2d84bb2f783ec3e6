"""Kinds of poison: those of a contract, or those that every service must expect."""

import pytest

from atleastonce import poisons
from atleastonce.contract import BrokerTable, Contract, Input, Poison


def contract(*poison: Poison, message: str = '{"id": "{id}"}') -> Contract:
    """Return a contract with these kinds."""
    return Contract(broker=BrokerTable(kind="rabbitmq"), input=Input(message=message), poison=poison)


def test_kinds_of_the_contract_take_the_place_of_ours() -> None:
    """Who names one kind has only that."""
    own = Poison(name="empty")
    assert poisons.kinds(contract(own)) == (own,)


def test_every_service_must_expect_bytes_and_what_breaks_off() -> None:
    """Bytes that are no text, and the first half of a message, whose placeholder may be cut through."""
    kinds = poisons.kinds(contract(message='{"order": "{id}"}'))
    found = {kind.name: poisons.body(kind, {"id": "7"}) for kind in kinds}
    assert found == {"not-text": bytes(range(0x80, 0xA0)), "truncated": b'{"order"'}
    with pytest.raises(UnicodeDecodeError):
        found["not-text"].decode()  # type: ignore[union-attr]  # it is bytes, as was just compared


@pytest.mark.parametrize(
    ("message", "cut"),
    [
        ('{"n": {n}}', True),
        ('["{id}"]', True),
        ("{id};burger;1", False),
        ("{id}", False),
        ("[a] note", False),
    ],
)
def test_only_json_breaks_off(message: str, cut: bool) -> None:
    """Half of a line of text may well be another message, a line that begins with a placeholder among them."""
    assert ("truncated" in [kind.name for kind in poisons.kinds(contract(message=message))]) == cut


@pytest.mark.parametrize(
    ("poison", "body"),
    [
        (Poison(name="p"), b""),
        (Poison(name="p", body='{"id": "{id}", "n": }'), b'{"id": "7", "n": }'),
        (Poison(name="p", body="{{id}}"), b"{id}"),
        (Poison(name="p", body="{pad:4}"), b"xxxx"),
        (Poison(name="p", body_base64="/wB7aWR9"), b"\xff\x00{id}"),
        (Poison(name="p", null=True), None),
    ],
)
def test_body_of_a_poison(poison: Poison, body: bytes | None) -> None:
    """A text is filled like a message's, bytes are taken as they are, and null is no body at all."""
    assert poisons.body(poison, {"id": "7"}) == body
