"""Bends what is right: bytes that are changed, cut, swapped and doubled, and values put where others belong."""

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

_NUMBERS = st.integers(0, 2**16)
BENDS = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "insert", "double", "end"]), _NUMBERS, st.binary(max_size=6)),
    max_size=4,
)
"""What is done to bytes: each where, by a number, and with which others."""

ODD: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12),
        st.sampled_from(["", "0s", "5s", "-1", "m1", "m1#1", "{id}", "{", "$.a", "quiet", "true", "1e999"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Any JSON value, those among them that look like something."""
SWAPS = st.lists(
    st.tuples(_NUMBERS, st.sampled_from(["put", "put", "move", "drop", "rename"]), ODD), max_size=3
)
"""What is done to a JSON value: at which of its places, and what is put there."""


def bent(data: bytes, bends: list[tuple[str, int, bytes]]) -> bytes:
    """Return bytes that were changed."""
    for how, number, others in bends:
        at = number % (len(data) + 1)
        match how:
            case "set":
                data = data[:at] + others + data[at + len(others) :]
            case "insert":
                data = data[:at] + others + data[at:]
            case "cut":
                data = data[:at] + data[at + 1 + len(others) :]
            case "double":
                data = data[:at] + data[at : at + 40] + data[at:]
            case _:
                data = data[:at]
    return data


def chunks(data: bytes, edges: list[int]) -> Iterator[bytes]:
    """Yield bytes in pieces, cut at these places."""
    places = sorted({number % (len(data) + 1) for number in edges} | {0, len(data)})
    yield from (data[start:end] for start, end in pairwise(places))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a value with every key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def swapped(value: Any, swaps: list[tuple[int, str, Any]]) -> Any:
    """Return a copy of a JSON value in which something was replaced, left out or renamed."""
    value = copy.deepcopy(value)
    for number, how, other in swaps:
        places = list(_places(value))
        if not places:
            return other
        inside, key = places[number % len(places)]
        if how == "put":
            inside[key] = copy.deepcopy(other)
        elif how == "move":
            elsewhere, there = places[number * 7919 % len(places)]
            inside[key] = copy.deepcopy(elsewhere[there])
        elif how == "drop":
            del inside[key]
        elif isinstance(inside, dict):
            inside[f"{key}{other}"[:20]] = inside.pop(key)
    return value
