"""Asks a Kafka broker whether it serves, and makes it do what the first client would otherwise wait for.

Requests of the oldest versions that Kafka 4 still takes, on a bare socket: a client library would add its
own back-off times, of seconds, to a broker that is ready in one.
"""

import socket
import struct

from atleastonce.errors import TransportError

_TIMEOUT = 5.0  # seconds for one answer
_METADATA = 3
_OFFSET_FETCH = 9
_FIND_COORDINATOR = 10
_API_VERSIONS = 18
_INIT_PRODUCER_ID = 22
_GROUP, _TRANSACTION = 0, 1
_NAME = "atleastonce-warm-up"


def warm_up(host: str, port: int) -> None:
    """Have the topics of groups and transactions made, and their coordinators loaded.

    To be called again until it returns: raises OSError if nobody answers, TransportError if it is not ready.
    """
    brokers(host, port)
    with socket.create_connection((host, port), _TIMEOUT) as link:
        for kind in (_GROUP, _TRANSACTION):
            answer = _ask(link, _FIND_COORDINATOR, 1, _string(_NAME) + struct.pack(">b", kind))
            _check("find a coordinator", answer, 4)
        answer = _ask(link, _OFFSET_FETCH, 2, _string(_NAME) + struct.pack(">i", -1))
        _check(
            "load the groups", answer, 4
        )  # after an empty list of topics, elsewhere after the throttle time
        answer = _ask(link, _INIT_PRODUCER_ID, 0, _string(_NAME) + struct.pack(">i", 1_000))
        _check("load the transactions", answer, 4)


def brokers(host: str, port: int) -> int:
    """Return how many brokers take part; raise OSError if nobody answers, TransportError if none does yet."""
    with socket.create_connection((host, port), _TIMEOUT) as link:
        (count,) = _unpack(">i", _ask(link, _METADATA, 1, struct.pack(">i", 0)))
    if count < 1:
        raise TransportError(f"asked Kafka at {host}:{port} for its brokers: none has joined yet")
    return count


def _ask(link: socket.socket, key: int, version: int, body: bytes) -> bytes:
    """Send one request (non-flexible, without a client id) and return the answer after its correlation id."""
    request = struct.pack(">hhih", key, version, 1, -1) + body
    link.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _exactly(link, 4))
    return _exactly(link, size)[4:]


def _exactly(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = link.recv(size - len(data))
        if not chunk:
            raise TransportError("awaited an answer from Kafka: it closed the connection")
        data += chunk
    return data


def _check(attempt: str, answer: bytes, offset: int) -> None:
    (code,) = _unpack(">h", answer, offset)
    if code:
        raise TransportError(f"asked Kafka to {attempt}: error code {code}")


def _unpack(form: str, data: bytes, offset: int = 0) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, data, offset)
    except struct.error as exc:
        raise TransportError("awaited an answer from Kafka: what came is too short to be one") from exc


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def release(host: str, port: int) -> str:
    """Return the release as far as the protocol tells it: the level of ``metadata.version``.

    Raises OSError if nobody answers and TransportError if the answer cannot be read.
    """
    from kio.schema.api_versions.v3.response import ApiVersionsResponse  # noqa: PLC0415 - heavy, rarely needed
    from kio.serial import entity_reader  # noqa: PLC0415 - likewise

    no_tags = b"\0"
    name = struct.pack(">b", len(_NAME) + 1) + _NAME.encode()  # a compact string
    with socket.create_connection((host, port), _TIMEOUT) as link:
        answer = _ask(link, _API_VERSIONS, 3, no_tags + name + name + no_tags)
    try:
        features = entity_reader(ApiVersionsResponse)(answer, 0)[0].finalized_features
    except Exception as exc:  # a reader of foreign bytes may fail in any way
        raise TransportError(
            f"asked Kafka at {host}:{port} for its versions: the answer is unreadable"
        ) from exc
    levels = {feature.name: feature.max_version_level for feature in features}
    return f"metadata.version {levels.get('metadata.version', 'unknown')}"
