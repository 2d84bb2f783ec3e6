"""Answers that would lead the client past the relay, changed so that they do not.

Brokers say in Metadata, FindCoordinator and DescribeCluster where they are, and since KIP-951 (Produce 10,
Fetch 16) in refusals too. ApiVersions is lowered to the versions that we can read: a client that spoke a
newer one would be neither rewritten nor recorded.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from atleastonce.relay.kafka_protocol import Api, UnknownVersion, newest, unsigned_varint

AddressFor = Callable[[str, int], tuple[str, int]]
"""Returns where the relay listens for the broker at that host and port."""

_RANGE = struct.Struct(">hhh")
_HEAD = 8
_FLEXIBLE_SINCE = 3
READ = frozenset(Api) - {Api.API_VERSIONS, Api.SHARE_FETCH, Api.SYNC_GROUP}
"""The APIs whose payloads the relay reads; the others pass in any version."""


def rewritten(api: int, payload: Any, address_for: AddressFor) -> Any | None:
    """Return the payload with the relay's addresses in place of the brokers', or None where it has none."""
    nodes = _FIELDS.get(api)
    if api == Api.FIND_COORDINATOR and not hasattr(payload, "coordinators"):
        return _at_relay(payload, address_for)
    if nodes is None or not getattr(payload, nodes, ()):
        return None
    return replace(payload, **{nodes: tuple(_at_relay(n, address_for) for n in getattr(payload, nodes))})


def lowered(frame: bytes, version: int) -> bytes:
    """Return an answer to ApiVersions that offers nothing we could not read.

    Changed in place, since the answer to an unsupported version is written as version 0 and new tagged fields
    would not survive being read and written again.
    """
    error = int.from_bytes(frame[_HEAD : _HEAD + 2], "big")
    if error:
        return frame
    flexible = version >= _FLEXIBLE_SINCE
    count, at = _count(frame, _HEAD + 2, flexible=flexible)
    changed = bytearray(frame)
    for _ in range(count):
        api, least, most = _RANGE.unpack_from(frame, at)
        if api in READ:
            _RANGE.pack_into(changed, at, api, least, max(least, min(most, newest(api))))
        at += _RANGE.size
        if flexible:
            tags, at = unsigned_varint(frame, at)
            if tags:
                raise UnknownVersion("ApiVersions has tagged fields that are not known")
    return bytes(changed)


def _count(frame: bytes, at: int, *, flexible: bool) -> tuple[int, int]:
    """Return the length of the array at that place, and where its first element is."""
    if not flexible:
        return int.from_bytes(frame[at : at + 4], "big"), at + 4
    count, at = unsigned_varint(frame, at)
    return count - 1, at


def _at_relay(node: Any, address_for: AddressFor) -> Any:
    if not node.host or node.port <= 0:
        return node  # there is no such broker now: the answer is an error
    host, port = address_for(node.host, node.port)
    return replace(node, host=host, port=port)


_FIELDS: dict[int, str] = {
    Api.METADATA: "brokers",
    Api.DESCRIBE_CLUSTER: "brokers",
    Api.FIND_COORDINATOR: "coordinators",
    Api.PRODUCE: "node_endpoints",
    Api.FETCH: "node_endpoints",
}
