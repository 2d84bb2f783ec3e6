"""The kinds of poison that a contract names, or those that every service must expect: their bytes."""

import base64
import json
from collections.abc import Mapping

from atleastonce import templates
from atleastonce.contract import Contract, Poison

_NO_TEXT = bytes(range(0x80, 0xA0))
"""Continuation bytes without a beginning: neither UTF-8 nor, therefore, JSON."""


def kinds(contract: Contract) -> tuple[Poison, ...]:
    """Return the contract's kinds, else bytes that are neither text nor JSON, and JSON that breaks off.

    Half of a message that is not JSON may well be another message, so it is none of them.
    """
    if contract.poison:
        return contract.poison
    whole = contract.input.kinds[0]
    found = [Poison(name="not-text", body_base64=base64.b64encode(_NO_TEXT).decode())]
    if _is_json(whole):
        found.append(Poison(name="truncated", body=whole[: max(1, len(whole) // 2)]))
    return tuple(found)


def _is_json(template: str) -> bool:
    """Tell whether a message is an object or an array of JSON; one that begins with a placeholder need not be."""
    filled = templates.fill(template, {"id": "1", "message_id": "1", "n": "1"})
    try:
        return isinstance(json.loads(filled), dict | list)
    except ValueError:
        return False


def body(poison: Poison, values: Mapping[str, str]) -> bytes | None:
    """Return the bytes of a poison message whose placeholders have these values; None where it has no value."""
    if poison.null:
        return None
    if poison.body_base64:
        return base64.b64decode(poison.body_base64)
    return templates.fill(poison.body, values).encode()
