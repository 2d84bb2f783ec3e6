"""Whatever passes the relay, right or wrong: nothing is lost, nothing raises, however the bytes are cut."""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode
from kio.schema.index import api_key_map, schema_name_map
from kio.static.primitive import Records
from pamqp import body, commands, frame, header

from atleastonce.history import Event
from atleastonce.relay.amqp import AmqpCodec
from atleastonce.relay.codec import COPY_HEADER, Codec, From, Names
from atleastonce.relay.http import HttpCodec
from atleastonce.relay.kafka import KafkaWire
from atleastonce.relay.kafka_protocol import Api
from atleastonce.relay.kafka_rewrite import READ
from bending import BENDS, bent, chunks
from kafka_frames import IDS, PACKERS, answer, packed, request

pytestmark = pytest.mark.timeout(900)

Said = tuple[From, bytes]
EDGES = st.lists(st.integers(0, 2**16), max_size=6)
SIDES = st.sampled_from(get_args(From))


def names() -> Names:
    """Return the ids of a case that runs."""
    found = Names()
    found.begin("case", [(value, f"m{n}") for n, value in enumerate(IDS)], {"m0": IDS[0].encode()})
    return found


def passed(
    codec: Codec, script: Iterable[Said], edges: Sequence[int]
) -> tuple[dict[From, bytes], list[Event]]:
    """Feed a codec, end it, and return what it passed on from either side, and the events."""
    out: dict[From, bytes] = {"subject": b"", "broker": b""}
    events: list[Event] = []
    for side, data in script:
        for piece in chunks(data, list(edges)):
            for segment in codec.received(side, piece):
                out[side] += segment.data
                events += segment.events
    assert (isinstance(codec.subscribed, bool), isinstance(codec.bury(), bytes)) == (True, True)
    for segment in codec.received("broker", b"\x00" * 16):
        events += segment.events
    return out, [*events, *codec.closed()]


def sent(script: Iterable[Said], side: From) -> bytes:
    """Return all that one side sent."""
    return b"".join(data for each, data in script if each == side)


# -- AMQP

_TABLES = st.dictionaries(
    st.sampled_from([COPY_HEADER, "x-message-ttl", "x-dead-letter-exchange", "x", "x-delay"]),
    st.one_of(st.text(max_size=8), st.integers(-(2**31), 2**31), st.booleans(), st.none(),
              st.sampled_from(["case/m1#1", "case/", "/", "soon"])),
    max_size=3,
)  # fmt: skip
_TAGS = st.integers(0, 5)
_WORDS = st.sampled_from(["", "in", "c", "out"])
_METHODS: st.SearchStrategy[frame.FrameTypes] = st.one_of(
    st.builds(commands.Basic.Consume, queue=_WORDS, consumer_tag=_WORDS, no_ack=st.booleans(), nowait=st.booleans()),
    st.builds(commands.Basic.ConsumeOk, _WORDS),
    st.builds(commands.Basic.Cancel, _WORDS, st.booleans()),
    st.builds(commands.Basic.Deliver, _WORDS, _TAGS, st.booleans(), _WORDS, _WORDS),
    st.builds(commands.Basic.Get, queue=_WORDS, no_ack=st.booleans()),
    st.builds(commands.Basic.GetOk, _TAGS, st.booleans(), _WORDS, _WORDS, _TAGS),
    st.builds(commands.Basic.GetEmpty),
    st.builds(commands.Basic.Publish, exchange=_WORDS, routing_key=_WORDS, mandatory=st.booleans()),
    st.builds(commands.Basic.Return, st.just(312), _WORDS, _WORDS, _WORDS),
    st.builds(commands.Basic.Ack, _TAGS, st.booleans()),
    st.builds(commands.Basic.Nack, _TAGS, st.booleans(), st.booleans()),
    st.builds(commands.Basic.Reject, _TAGS, st.booleans()),
    st.builds(commands.Basic.Recover, st.booleans()),
    st.builds(commands.Queue.Declare, queue=_WORDS, nowait=st.booleans(), arguments=_TABLES),
    st.builds(commands.Queue.DeclareOk, _WORDS, _TAGS, _TAGS),
    st.builds(commands.Confirm.Select, st.booleans()),
    st.builds(commands.Channel.Close, st.just(200), _WORDS, _TAGS, _TAGS),
    st.builds(commands.Channel.CloseOk),
    st.builds(commands.Connection.OpenOk),
    st.builds(commands.Connection.CloseOk),
    st.builds(commands.Connection.Close, st.just(200), _WORDS, _TAGS, _TAGS),
    st.builds(header.ContentHeader, st.just(0), st.integers(0, 60),
              st.builds(commands.Basic.Properties, headers=_TABLES, message_id=_WORDS)),
    st.binary(max_size=50).map(body.ContentBody),
)  # fmt: skip
_CHANNELS = st.integers(0, 2)
_FRAMES = st.one_of(
    st.tuples(_METHODS, _CHANNELS).map(lambda each: frame.marshal(*each)),
    st.tuples(st.integers(0, 9), _CHANNELS, st.binary(max_size=30)).map(
        lambda each: struct.pack(">BHI", each[0], each[1], len(each[2])) + each[2] + b"\xce"
    ),
)


@given(
    st.lists(st.tuples(SIDES, _FRAMES, BENDS), max_size=25),
    st.lists(st.binary(max_size=12), max_size=2),
    EDGES,
)
def test_amqp_passes_untouched(said, noise, edges) -> None:
    """Each frame whole, as it was sent, or still kept back with its message; the same however bytes are cut."""
    greeting: list[Said] = [("subject", b"AMQP\x00\x00\x09\x01")]
    right, wrong = greeting + [(side, data) for side, data, _ in said], bend(said)
    for script in (right, wrong, greeting + wrong, [("subject", each) for each in noise] + right):
        out, events = passed(AmqpCodec(names()), script, edges)
        assert (out, events) == passed(AmqpCodec(names()), script, ())
        for side in get_args(From) if script is right else ():
            assert Counter(frames(out[side])) <= Counter(frames(sent(script, side)))


def frames(data: bytes) -> Iterator[bytes]:
    """Yield frames, the greeting as the first of them where there is one."""
    if data.startswith(b"AMQP"):
        yield data[:8]
        data = data[8:]
    while data:
        end = 8 + int.from_bytes(data[3:7], "big")
        yield data[:end]
        data = data[end:]


def bend(said: Iterable[tuple[From, bytes, list[tuple[str, int, bytes]]]]) -> list[Said]:
    """Return what is said, changed as told."""
    return [(side, bent(data, bends)) for side, data, bends in said]


# -- Kafka

_BATCHES = [
    packed(0),
    packed(1, 2, codec=1),
    packed(0, 3, codec=2, flags=0x10, producer=5),
    packed(2, flags=0x20),
]
_BATCHES += [packed(0, codec=codec) for codec in PACKERS]
_APIS = [
    (api, version) for api in Api if api in READ for version in sorted(schema_name_map[api_key_map[api]])
]
_NUMBERS = st.integers(1, 3)


def _kafka(make: Callable[..., bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda at, number, batch, bends, of: make(*at, number, records=Records(bent(batch, bends)), **of),
        st.sampled_from(_APIS),
        _NUMBERS,
        st.sampled_from(_BATCHES),
        BENDS,
        st.sampled_from(
            [
                {},
                {"transactional_id": "tx"},
                {"error_code": ErrorCode.unknown_member_id},
                {"member_id": "m", "offset": 4},
            ]
        ),
    )


_RAW = st.tuples(st.integers(-1, 90), st.integers(-1, 20), _NUMBERS, st.binary(max_size=40)).map(
    lambda each: struct.pack(">ihhi", 8 + len(each[3]), *each[:3]) + each[3]
)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("subject"), st.one_of(_kafka(request), _RAW), BENDS),
            st.tuples(st.just("broker"), _kafka(answer), BENDS),
        ),
        max_size=12,
    ),
    EDGES,
)
def test_kafka_passes(said, edges) -> None:
    """Requests pass untouched, answers with other addresses at the most, the same as if they came at once."""
    for script in ([(side, data) for side, data, _ in said], bend(said)):
        out, events = passed(KafkaWire(names(), lambda host, port: (host, port)).codec(1), script, edges)
        assert sent(script, "subject").startswith(out["subject"])
        whole, told = passed(KafkaWire(names(), lambda host, port: (host, port)).codec(1), script, ())
        assert ({**out, "broker": b""}, events) == ({**whole, "broker": b""}, told)


# -- HTTP

_HTTP: dict[From, list[bytes]] = {
    "subject": [
        b"POST /reserve?x=1 HTTP/1.1\r\nhost: a\r\nidempotency-key: k\r\ncontent-length: 36\r\n\r\n" + IDS[0].encode(),
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST /w HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nok",
        b"GET /u HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ],
    "broker": [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: x\n\n",
    ],
}  # fmt: skip
_EXCHANGES = st.lists(
    SIDES.flatmap(lambda side: st.tuples(st.just(side), st.sampled_from(_HTTP[side]), BENDS)), max_size=12
)


@given(_EXCHANGES, EDGES)
def test_http_passes_untouched(said, edges) -> None:
    """What was sent, or the beginning of it; what is no HTTP/1.1 passes too, and is told."""
    for script in ([(side, data) for side, data, _ in said], bend(said)):
        out, _ = passed(HttpCodec(names()), script, edges)
        for side in get_args(From):
            assert sent(script, side).startswith(out[side].removesuffix(b"\x00" * 16))
