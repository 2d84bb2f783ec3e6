"""Kafka's frames: where they end, what their heads say, and their payloads by API and version (kio).

A frame is a length of four bytes and that many bytes. A request begins with API key, version and correlation
id; an answer with the correlation id only, so it cannot be read without its request (kafka.apache.org,
*Protocol guide*).
"""

import io
import struct
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

from kio.index import load_request_schema, load_response_schema
from kio.schema.index import api_key_map, schema_name_map
from kio.serial import entity_reader, entity_writer

MAX_REQUEST = 100 * 1024 * 1024
"""Bytes; ``socket.request.max.bytes`` of a broker is that by default, so a longer "request" is not Kafka."""

_LONGEST = 70
"""How many bits a varint has at the most: ten bytes of seven."""
_SIZE = struct.Struct(">i")
_REQUEST_HEAD = struct.Struct(">hhi")
_CLIENT = b"atleastonce"


class Api(IntEnum):
    """The API keys that mean something to the relay."""

    PRODUCE = 0
    FETCH = 1
    METADATA = 3
    OFFSET_COMMIT = 8
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    DESCRIBE_CLUSTER = 60
    CONSUMER_GROUP_HEARTBEAT = 68
    SHARE_FETCH = 78


class NotKafka(ValueError):  # noqa: N818 - it names what was found
    """The bytes are not Kafka's: the length of a frame is impossible."""


class UnknownVersion(LookupError):  # noqa: N818 - it names what was found
    """A version of an API that kio does not know."""


class Head(NamedTuple):
    """What every request begins with."""

    api: int
    version: int
    correlation: int


class Stream:
    """Cuts one direction of a link into whole frames."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Of a frame that is not whole yet. Joined once, at the end: a frame may be many megabytes long.
        self._parts: list[bytes] = []
        self._held = 0
        self._needed = _SIZE.size

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Take bytes as they came, and yield the frames that are whole now; raise NotKafka."""
        self._keep(data)
        if self._held < self._needed:
            return
        data = self.flush()
        start, self._needed = 0, _SIZE.size
        while len(data) - start >= _SIZE.size:
            needed = _SIZE.size + self._size(data, start)
            if len(data) - start < needed:
                self._needed = needed
                break
            yield data[start : start + needed]
            start += needed
        self._keep(data[start:])

    def flush(self) -> bytes:
        """Return and forget what is left of a frame that never became whole."""
        rest, self._parts, self._held = b"".join(self._parts), [], 0
        return rest

    def _keep(self, data: bytes) -> None:
        if data:
            self._parts.append(data)
            self._held += len(data)

    def _size(self, data: bytes, start: int) -> int:
        size: int = _SIZE.unpack_from(data, start)[0]
        if not 0 <= size <= self._limit:
            self._keep(data[start:])
            raise NotKafka(f"a frame of {size} bytes")
        return size


def head(frame: bytes) -> Head | None:
    """Return the head of a request, or None where the frame is too short to be one."""
    if len(frame) < _SIZE.size + _REQUEST_HEAD.size:
        return None
    return Head(*_REQUEST_HEAD.unpack_from(frame, _SIZE.size))


def client(frame: bytes) -> bytes:
    """Return the client id of a request whose head is whole; empty where it has none."""
    at = _SIZE.size + _REQUEST_HEAD.size
    length = max(int.from_bytes(frame[at : at + 2], "big", signed=True), 0)
    return frame[at + 2 : at + 2 + length]


def correlation(frame: bytes) -> int | None:
    """Return the correlation id of an answer, or None where the frame is too short to be one."""
    return _SIZE.unpack_from(frame, _SIZE.size)[0] if len(frame) >= 2 * _SIZE.size else None


def newest(api: int) -> int:
    """Return the newest version of an API that kio knows; raise UnknownVersion where it knows none."""
    if api not in api_key_map:
        raise UnknownVersion(f"API {api} is not known")
    return max(schema_name_map[api_key_map[api]])


def read_request(frame: bytes, of: Head) -> Any:
    """Return a request's payload, typed by kio; raise UnknownVersion, or whatever reading it meets."""
    reader, flexible = _request(of.api, of.version)
    at = _SIZE.size + _REQUEST_HEAD.size + 2 + len(client(frame))
    return reader(frame, _after_tags(frame, at) if flexible else at)[0]


def read_response(frame: bytes, api: int, version: int) -> Any:
    """Return an answer's payload, typed by kio; raise UnknownVersion, or whatever reading it meets."""
    reader, flexible = _response(api, version)
    return reader(frame, _after_tags(frame, 2 * _SIZE.size) if flexible else 2 * _SIZE.size)[0]


def rewrite_response(frame: bytes, payload: Any) -> bytes:
    """Return an answer with its payload replaced and its head as it was."""
    flexible = type(payload).__header_schema__.__flexible__
    at = _after_tags(frame, 2 * _SIZE.size) if flexible else 2 * _SIZE.size
    body = frame[_SIZE.size : at] + _written(payload)
    return _SIZE.pack(len(body)) + body


def write_request(payload: Any, number: int) -> bytes:
    """Return a request of our own as a frame, with `number` as its correlation id."""
    kind = type(payload)
    body = _REQUEST_HEAD.pack(kind.__api_key__, kind.__version__, number)
    body += len(_CLIENT).to_bytes(2, "big") + _CLIENT
    body += b"\x00" if kind.__header_schema__.__flexible__ else b""
    body += _written(payload)
    return _SIZE.pack(len(body)) + body


def unsigned_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned varint at that place, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more bytes follow
            return value, at
        shift += 7
        if shift >= _LONGEST:
            raise ValueError(f"a number of more than {_LONGEST} bits")


def _after_tags(data: bytes, at: int) -> int:
    """Return the place behind the tagged fields of a flexible head."""
    count, at = unsigned_varint(data, at)
    for _ in range(count):
        _, at = unsigned_varint(data, at)
        size, at = unsigned_varint(data, at)
        at += size
    return at


@cache
def _request(api: int, version: int) -> tuple[Any, bool]:
    _check(api, version)
    schema = load_request_schema(api, version)
    return entity_reader(schema), schema.__header_schema__.__flexible__


@cache
def _response(api: int, version: int) -> tuple[Any, bool]:
    _check(api, version)
    schema = load_response_schema(api, version)
    return entity_reader(schema), schema.__header_schema__.__flexible__


def _check(api: int, version: int) -> None:
    if version not in schema_name_map.get(api_key_map.get(api, ""), {}):
        raise UnknownVersion(f"API {api} in version {version} is not known")


def _written(payload: Any) -> bytes:
    with io.BytesIO() as buffer:
        entity_writer(type(payload))(buffer, payload)
        return buffer.getvalue()
