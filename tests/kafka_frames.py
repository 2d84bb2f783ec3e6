"""Kafka frames made here, for the codec's tests: requests and answers of any version, and record batches."""

import dataclasses
import datetime as dt
import io
import struct
import uuid
from collections.abc import Callable
from typing import Any, get_args, get_origin

import cramjam
from kio.index import load_request_schema, load_response_schema
from kio.records.schema import NewRecordBatch, Record, RecordHeader
from kio.records.writers import write_batch
from kio.schema.errors import ErrorCode
from kio.serial import entity_writer
from kio.static.primitive import TZAwareMicros, i8, i16, i32, i64

from atleastonce.relay.codec import COPY_HEADER
from atleastonce.relay.kafka_protocol import Api, write_request

TOPIC = "orders"
TOPIC_ID = uuid.UUID(int=7)
IDS = [str(uuid.UUID(int=n + 1000)) for n in range(4)]
NOW = TZAwareMicros.parse(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def packed(*messages: int, first: int = 0, codec: int = 0, flags: int = 0, producer: int = -1) -> bytes:
    """Return a record batch with the first copy of these messages, compressed."""
    records = [
        Record(
            attributes=i8(0),
            timestamp=NOW,
            offset=i64(first + n),
            key=b"four",
            value=IDS[message].encode(),
            headers=(RecordHeader(key=COPY_HEADER.encode(), value=f"case/m{message}#1".encode()),),
        )
        for n, message in enumerate(messages)
    ]
    plain = io.BytesIO()
    batch = NewRecordBatch(
        producer_id=i64(producer),
        producer_epoch=i16(0),
        base_sequence=i32(-1),
        attributes=i16(codec | flags),
        records=tuple(records),
    )
    write_batch(plain, batch)
    data = plain.getvalue()
    body = PACKERS[codec](data[61:])
    return data[:8] + struct.pack(">i", len(body) + 49) + data[12:61] + body


def xerial(data: bytes) -> bytes:
    """Frame snappy as the Java client does, in two blocks."""
    blocks = (bytes(cramjam.snappy.compress_raw(part)) for part in (data[:10], data[10:]))
    framed = b"".join(struct.pack(">i", len(block)) + block for block in blocks)
    return b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + framed


PACKERS: dict[int, Callable[[bytes], bytes]] = {
    0: lambda data: data,
    1: lambda data: bytes(cramjam.gzip.compress(data)),
    2: lambda data: bytes(cramjam.snappy.compress_raw(data)),
    3: lambda data: bytes(cramjam.lz4.compress(data)),
    4: lambda data: bytes(cramjam.zstd.compress(data)),
}


def filled(schema: Any, given: dict[str, Any]) -> Any:
    """Return an entity whose fields are filled by their types, or by name from what is given."""
    values = {}
    for each in dataclasses.fields(schema):
        wanted: Any = each.type
        if each.name in given:
            value = given[each.name]
            wrapped = get_origin(wanted) is tuple and not isinstance(value, tuple)
            values[each.name] = (value,) if wrapped else value
        else:
            values[each.name] = _value(wanted, given)
    return schema(**values)


def _value(wanted: Any, given: dict[str, Any]) -> Any:
    if get_origin(wanted) is tuple:
        inner = get_args(wanted)[0]
        return (filled(inner, given),) if dataclasses.is_dataclass(inner) else ()
    if get_args(wanted):
        options = get_args(wanted)
        if type(None) in options and not any(get_origin(o) is tuple for o in options):
            return None
        return _value(options[0], given)
    if dataclasses.is_dataclass(wanted):
        return filled(wanted, given)
    for kind, value in ((ErrorCode, ErrorCode.none), (bool, False), (str, ""), (bytes, b"")):
        if isinstance(wanted, type) and issubclass(wanted, kind):
            return value
    return dt.timedelta(0) if "Timedelta" in str(wanted) else 0


PLAIN = {
    "name": TOPIC,
    "topic": TOPIC,
    "topic_id": TOPIC_ID,
    "group_id": "group",
    "acks": -1,
    "host": "broker",
    "port": 9092,
}


def request(api: Api, version: int, number: int = 1, **given: Any) -> bytes:
    """Return a request as a frame."""
    return write_request(filled(load_request_schema(api, version), PLAIN | given), number)


def answer(api: Api, version: int, number: int = 1, **given: Any) -> bytes:
    """Return an answer as a frame."""
    schema = load_response_schema(api, version)
    body = io.BytesIO()
    entity_writer(schema)(body, filled(schema, PLAIN | given))
    tags = b"\x00" if schema.__header_schema__.__flexible__ else b""
    data = struct.pack(">i", number) + tags + body.getvalue()
    return struct.pack(">i", len(data)) + data
