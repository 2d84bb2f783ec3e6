"""Record batches: what lies in them, decompressed, as the consumer will see it.

Only magic 2 (since Kafka 0.11) is read; brokers since 4.0 write nothing else. Layout: kafka.apache.org,
*Message format*. Our own reader, since kio's neither decompresses nor looks past the checksum cheaply.
"""

import struct
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import cramjam

from atleastonce.relay.kafka_protocol import unsigned_varint

_HEAD = struct.Struct(">qiibIhiqqqhii")
_LENGTH = struct.Struct(">qi")
_MAGIC = 2
_MAGIC_AT = 16
_NOT_PACKED = 0
_COMPRESSION, _TRANSACTIONAL, _CONTROL = 0x07, 0x10, 0x20
_ABORT = b"\x00\x00"
_MORE = 0x80
"""The bit of a varint's byte that says that more bytes follow."""
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEAD = 16


class Record(NamedTuple):
    """One record; a header may come more than once."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...]


class Batch(NamedTuple):
    """One record batch; its records, decompressed and still encoded, are what `data` holds from `start` to `end`.

    So that most batches, which nobody looks into, are not copied.
    """

    offset: int
    last: int
    attributes: int
    producer: int
    epoch: int
    record_count: int
    data: bytes
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes its records have."""
        return self.end - self.start

    def records(self) -> Iterator[Record]:
        """Yield the records; raise ValueError or LookupError where they cannot be read."""
        data, at = self.data[self.start : self.end], 0
        for _ in range(self.record_count):
            record, at = _record(data, at, self.offset)
            yield record


def batches(data: bytes) -> Iterator[Batch]:
    """Yield the whole batches, oldest first; a broker cuts the last one off at the size asked for.

    Raise ValueError, LookupError or cramjam's errors where they cannot be read.
    """
    start = 0
    while len(data) - start >= _HEAD.size:
        if data[start + _MAGIC_AT] != _MAGIC:
            raise ValueError(f"a record batch of magic {data[start + _MAGIC_AT]}, where only 2 is known")
        offset, length, _, _, _, attributes, last, _, _, producer, epoch, _, count = _HEAD.unpack_from(
            data, start
        )
        end = start + _LENGTH.size + length
        if end > len(data) or length < 0:
            return
        records = _unpacked(attributes & _COMPRESSION, data, start + _HEAD.size, end)
        yield Batch(offset, offset + last, attributes, producer, epoch, count, *records)
        start = end


def until(data: bytes, offset: int) -> bytes:
    """Return the batches that begin below an offset, as they are."""
    end = 0
    while len(data) - end >= _LENGTH.size:
        base, length = _LENGTH.unpack_from(data, end)
        if base >= offset or length < 0:
            break
        end += _LENGTH.size + length
    return data[:end]


def visible(data: bytes, aborted: Collection[Any] | None) -> Iterator[Batch]:
    """Yield the batches whose records a consumer hands to its application.

    Control records are left out, and what lies in a transaction of `aborted` (pairs of ``producer_id`` and
    ``first_offset``, which a broker sends to read_committed consumers only) is too.
    """
    waiting = sorted(aborted or (), key=lambda transaction: transaction.first_offset)
    dropped: set[int] = set()
    for batch in batches(data):
        while waiting and waiting[0].first_offset <= batch.last:
            dropped.add(waiting.pop(0).producer_id)
        if batch.attributes & _CONTROL:
            if any((record.key or b"")[2:4] == _ABORT for record in batch.records()):
                dropped.discard(batch.producer)
        elif not (batch.attributes & _TRANSACTIONAL and batch.producer in dropped):
            yield batch


def _record(data: bytes, at: int, base: int) -> tuple[Record, int]:
    """Return the record at that place, and the place behind it."""
    while data[at] >= _MORE:  # its length is not needed: every field is read
        at += 1
    at += 2  # the last byte of the length, and the attributes, which are unused
    while data[at] >= _MORE:  # when it was written is not needed either
        at += 1
    delta, at = _varint(data, at + 1)
    key, at = _bytes(data, at)
    value, at = _bytes(data, at)
    count, at = _varint(data, at)
    if not count:
        return Record(base + delta, key, value, ()), at
    headers = []
    for _ in range(count):
        name, at = _bytes(data, at)
        content, at = _bytes(data, at)
        headers.append((name or b"", content))
    return Record(base + delta, key, value, tuple(headers)), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the zigzag varint at that place, and the place behind it."""
    byte = data[at]
    if byte < _MORE:
        return (byte >> 1) ^ -(byte & 1), at + 1
    value, at = unsigned_varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    end = at + length
    if end > len(data):
        raise ValueError(f"a field of {length} bytes reaches behind the end of its batch")
    return data[at:end], end


def _unpacked(codec: int, data: bytes, start: int, end: int) -> tuple[bytes, int, int]:
    """Return bytes in which the records lie that are packed from `start` to `end`, and from where to where."""
    if codec == _NOT_PACKED:
        return data, start, end
    if codec not in _UNPACK:
        raise ValueError(f"compression {codec} is not one of {[_NOT_PACKED, *sorted(_UNPACK)]}")
    unpacked = _UNPACK[codec](data[start:end])
    return unpacked, 0, len(unpacked)


def _snappy(packed: bytes) -> bytes:
    """Undo snappy, bare (librdkafka) or in the frames of xerial's snappy-java (the Java client)."""
    if not packed.startswith(_XERIAL):
        return bytes(cramjam.snappy.decompress_raw(packed))
    at, parts = _XERIAL_HEAD, []
    while at < len(packed):
        size = int.from_bytes(packed[at : at + 4], "big")
        parts.append(bytes(cramjam.snappy.decompress_raw(packed[at + 4 : at + 4 + size])))
        at += 4 + size
    return b"".join(parts)


_UNPACK: dict[int, Callable[[bytes], bytes]] = {
    1: lambda packed: bytes(cramjam.gzip.decompress(packed)),
    2: _snappy,
    3: lambda packed: bytes(cramjam.lz4.decompress(packed)),
    4: lambda packed: bytes(cramjam.zstd.decompress(packed)),
}
