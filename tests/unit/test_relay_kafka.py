"""The Kafka codec on frames made here: what passes, what is rewritten, which events it yields."""

import asyncio
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from kio.index import load_request_schema
from kio.schema.errors import ErrorCode
from kio.schema.fetch.v12.response import AbortedTransaction
from kio.schema.index import api_key_map, schema_name_map
from kio.schema.types import ProducerId
from kio.static.primitive import Records, i64

from atleastonce.history import Event
from atleastonce.relay.codec import COPY_HEADER, From, Names, Segment
from atleastonce.relay.kafka import KafkaCodec, KafkaWire
from atleastonce.relay.kafka_protocol import Api, client, write_request
from atleastonce.relay.kafka_requests import REQUESTS
from atleastonce.relay.kafka_responses import RESPONSES
from atleastonce.relay.kafka_rewrite import READ
from kafka_frames import IDS, PACKERS, PLAIN, TOPIC, answer, filled, packed, request, xerial


def at_relay(host: str, port: int) -> tuple[str, int]:
    """Return the relay's address for a broker."""
    return f"relay-{host}", port + 1


TRANSACTION = {"transactional_id": "tx", "producer_id": 5, "producer_epoch": 0}


class Conversation:
    """A codec, and what comes of feeding it."""

    def __init__(self) -> None:
        self.names = names = Names()
        names.begin("case", [(value, f"m{n}") for n, value in enumerate(IDS)], {})
        self.wire = KafkaWire(names, at_relay)
        codec = self.wire.codec(1)
        assert isinstance(codec, KafkaCodec)
        self.codec = codec
        self.say("subject", request(Api.METADATA, 12, 0))
        self.say("broker", answer(Api.METADATA, 12, 0))

    def say(self, side: From, data: bytes) -> list[Segment]:
        """Feed bytes from one side."""
        return list(self.codec.received(side, data))

    def events(self, side: From, data: bytes) -> list[Event]:
        """Feed bytes from one side, and return the events."""
        return [event for segment in self.say(side, data) for event in segment.events]

    def fetches(self, data: bytes, start: int = 0, number: int = 1) -> list[Event]:
        """Fetch a record batch in both directions, and return the answer's events."""
        self.say("subject", request(Api.FETCH, 12, number, fetch_offset=start))
        return self.events("broker", answer(Api.FETCH, 12, number, records=Records(data)))

    def commits(self, offset: int, error: ErrorCode = ErrorCode.none) -> tuple[list[Event], list[Event]]:
        """Commit an offset, and return the events of request and answer."""
        asked = self.events("subject", request(Api.OFFSET_COMMIT, 8, 5, committed_offset=offset))
        return asked, self.events("broker", answer(Api.OFFSET_COMMIT, 8, 5, error_code=error))


def copies(events: Iterable[Event]) -> list[str | None]:
    """Return the copies of some events."""
    return [event.copy for event in events]


def every_read() -> Iterator[tuple[Api, int]]:
    """Yield every API that means something, in every version that kio knows."""
    for api in Api:
        if api in READ:
            yield from ((api, version) for version in schema_name_map[api_key_map[api]])


@pytest.mark.parametrize(("api", "version"), list(every_read()))
def test_every_version_is_read(api: Api, version: int) -> None:
    """No version that kio knows is unreadable, and apart from addresses it passes as it came."""
    talk = Conversation()
    data = packed(0)
    asked = request(api, version, records=Records(data))
    answered = answer(api, version, records=Records(data))
    sent, got = talk.say("subject", asked), talk.say("broker", answered)
    assert [e for segment in (*sent, *got) for e in segment.events if e.event == "unreadable"] == []
    assert sent[0].data == asked
    assert (got[0].data == answered) == (b"broker" not in answered)


def test_the_registries_name_known_apis() -> None:
    """What is read is what ApiVersions is lowered for."""
    assert set(REQUESTS) | set(RESPONSES) <= set(READ)


def test_split_anywhere_it_is_the_same() -> None:
    """However the bytes are cut on their way, the same bytes and events come out, frames never in halves."""
    script: list[tuple[From, bytes]] = [
        ("subject", request(Api.PRODUCE, 9, 1, records=Records(packed(0, 1))) + request(Api.FETCH, 12, 2)),
        ("broker", answer(Api.PRODUCE, 9, 1) + answer(Api.FETCH, 12, 2, records=Records(packed(2, 3)))),
        ("subject", request(Api.OFFSET_COMMIT, 8, 3, committed_offset=2) + request(Api.METADATA, 12, 4)),
        ("broker", answer(Api.OFFSET_COMMIT, 8, 3) + answer(Api.METADATA, 12, 4)),
    ]

    def run(cut: Iterable[int]) -> tuple[bytes, list[Event]]:
        talk, passed = Conversation(), b""
        events: list[Event] = []
        for side, data in script:
            edges = [0, *(at for at in cut if at < len(data)), len(data)]
            for start, end in pairwise(edges):
                for segment in talk.say(side, data[start:end]):
                    passed += segment.data
                    events += segment.events
                    size = struct.unpack_from(">i", segment.data)[0]
                    assert len(segment.data) >= 4 + size
        return passed, events

    whole = run([])
    longest = max(len(data) for _, data in script)
    assert copies(e for e in whole[1] if e.event == "response") == ["m2#1", "m3#1"]
    assert run(range(1, longest)) == whole
    for at in range(1, longest):
        assert run([at]) == whole


def test_frames_without_events_are_joined() -> None:
    """What carries nothing passes in one piece; what does stands alone, so that it can be held."""
    talk = Conversation()
    quiet, loud = request(Api.SYNC_GROUP, 3, 8), request(Api.PRODUCE, 9, 9, records=Records(packed(0)))
    segments = talk.say("subject", quiet + quiet + loud + quiet)
    assert [segment.data for segment in segments] == [quiet + quiet, loud, quiet]


@pytest.mark.parametrize(
    ("api", "version"),
    [
        (Api.METADATA, 1),
        (Api.METADATA, 12),
        (Api.FIND_COORDINATOR, 2),
        (Api.FIND_COORDINATOR, 4),
        (Api.DESCRIBE_CLUSTER, 1),
        (Api.PRODUCE, 10),
        (Api.FETCH, 16),
    ],
)
def test_addresses_become_the_relays(api: Api, version: int) -> None:
    """Wherever an answer says where a broker is, it says where the relay is."""
    talk = Conversation()
    talk.say("subject", request(api, version, records=None))
    (passed,) = talk.say("broker", answer(api, version, records=Records(b"")))
    assert passed.data == answer(api, version, host="relay-broker", port=9093, records=Records(b""))


def test_a_coordinator_that_is_not_there_is_left_alone() -> None:
    """An error has no address to rewrite."""
    talk = Conversation()
    talk.say("subject", request(Api.FIND_COORDINATOR, 2))
    refused = answer(
        Api.FIND_COORDINATOR, 2, host="", port=-1, error_code=ErrorCode.coordinator_not_available
    )
    assert talk.say("broker", refused) == [Segment(refused)]


@pytest.mark.parametrize("head", [(1, 99), (0, 99), (3, 99), (500, 0), (-1, -1)])
def test_what_is_unknown_passes_untouched(head: tuple[int, int]) -> None:
    """Unknown APIs and versions pass byte for byte, and one that we should know is reported once."""
    talk = Conversation()
    for number in (6, 7):
        asked = struct.pack(">ihhih", 14, *head, number, -1) + b"what"
        answered = struct.pack(">ii", 9, number) + b"which"
        assert talk.say("subject", asked)[0].data == asked
        assert talk.say("broker", answered)[0].data == answered
    known = head[0] in READ
    sides = {side for side, _, _ in talk.codec._unreadable}
    assert sides == (
        {"subject", "broker"} - ({"subject"} if head[0] == Api.METADATA else set()) if known else set()
    )


def test_garbage_passes_and_is_reported() -> None:
    """A request that cannot be decoded is an event, since the run can then not be sure."""
    talk = Conversation()
    frame = request(Api.FETCH, 12)[:-6]
    frame = struct.pack(">i", len(frame) - 4) + frame[4:]
    (segment,) = talk.say("subject", frame)
    assert segment.data == frame
    assert [event.event for event in segment.events] == ["unreadable"]


def test_tls_is_passed_on_and_named() -> None:
    """A client that speaks TLS to the relay gets through, and the history says that nothing could be read."""
    talk = Conversation()
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    (segment,) = talk.say("subject", hello)
    assert segment.data == hello
    assert "TLS" in segment.events[0].note
    assert talk.say("broker", b"\x16\x03") == [Segment(b"\x16\x03")]


@pytest.mark.parametrize("codec", PACKERS)
def test_compressed_batches_are_read(codec: int) -> None:
    """Each compression of the protocol, by the copy header of every record."""
    talk = Conversation()
    events = talk.fetches(packed(0, 1, codec=codec))
    assert [(e.copy, e.message, e.offset) for e in events] == [("m0#1", "m0", 0), ("m1#1", "m1", 1)]


def test_snappy_of_java_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Java client frames snappy in blocks."""
    monkeypatch.setitem(PACKERS, 2, xerial)
    assert copies(Conversation().fetches(packed(0, 1, codec=2))) == ["m0#1", "m1#1"]


def test_what_the_consumer_never_sees_is_no_fetch() -> None:
    """Records before the offset asked for, cut off batches, control records and aborted transactions."""
    talk = Conversation()
    assert copies(talk.fetches(packed(0, 1, 2), start=1)) == ["m1#1", "m2#1"]
    assert copies(talk.fetches(packed(0) + packed(1, first=1)[:-3])) == ["m0#1"]
    aborted = packed(0, flags=0x10, producer=5)
    marker = packed(1, first=1, flags=0x30, producer=5).replace(b"four", bytes(4))
    talk.say("subject", request(Api.FETCH, 12, 3))
    data = Records(aborted + marker + packed(2, first=2, flags=0x10, producer=5))
    given = (AbortedTransaction(producer_id=ProducerId(5), first_offset=i64(0)),)
    frame = answer(Api.FETCH, 12, 3, records=data, aborted_transactions=given)
    assert copies(talk.events("broker", frame)) == ["m2#1"]


def test_old_batches_are_reported() -> None:
    """Message sets of magic 0 and 1 pass unread, and say so."""
    data = bytearray(packed(0))
    data[16] = 1
    assert [event.event for event in Conversation().fetches(bytes(data))] == ["unreadable"]


def test_a_message_is_told_by_its_ids() -> None:
    """What the subject produces has no header of ours, but an id in its value, key or headers."""
    talk = Conversation()
    data = packed(3).replace(COPY_HEADER.encode(), b"another-header-x")
    asked = talk.events("subject", request(Api.PRODUCE, 9, records=Records(data)))
    answered = talk.events("broker", answer(Api.PRODUCE, 9, base_offset=40))
    (produced,), (confirmed,) = asked, answered
    assert (produced.event, produced.side, produced.message, produced.copy) == (
        "produce",
        "subject",
        "m3",
        None,
    )
    assert (produced.queue, produced.partition, produced.size) == (TOPIC, 0, 36)
    assert (confirmed.event, confirmed.side, confirmed.message, confirmed.offset) == (
        "confirm",
        "broker",
        "m3",
        40,
    )
    assert confirmed.ok


def test_what_is_nobodys_is_one_event_a_batch() -> None:
    """Produced and fetched; the answer says where the first of its records lies, and that of the next batch."""
    talk = Conversation()
    data = packed(1, 2, 3).replace(COPY_HEADER.encode(), b"another-header-x")
    for number in (1, 2, 3):
        data = data.replace(IDS[number].encode(), b"?" * len(IDS[number]))
    produced = talk.events("subject", request(Api.PRODUCE, 9, records=Records(data + packed(1))))
    confirmed = talk.events("broker", answer(Api.PRODUCE, 9, base_offset=40))
    said = "3 records, none of ours"
    assert [(e.message, e.note) for e in produced] == [(None, said), ("m1", "")]
    assert [(e.message, e.offset) for e in confirmed] == [(None, 40), ("m1", 43)]
    (fetched,) = talk.fetches(data)
    assert (fetched.event, fetched.message, fetched.offset, fetched.note) == ("fetch", None, 2, said)
    assert talk.fetches(data, start=3, number=2) == []


def test_a_refused_production_is_not_confirmed() -> None:
    """The error is the note."""
    talk = Conversation()
    talk.say("subject", request(Api.PRODUCE, 9, records=Records(packed(0))))
    (event,) = talk.events("broker", answer(Api.PRODUCE, 9, error_code=ErrorCode.not_enough_replicas))
    assert (event.ok, event.note) == (False, "not_enough_replicas")


def test_consume_is_told_once_a_topic() -> None:
    """The first fetch that names a topic subscribes the link."""
    talk = Conversation()
    assert not talk.codec.subscribed
    asked = [talk.events("subject", request(Api.FETCH, 12, number)) for number in (1, 2)]
    assert [[(e.event, e.queue) for e in events] for events in asked] == [[("consume", TOPIC)], []]
    assert talk.codec.subscribed


def test_consumers_of_one_process_may_be_in_several_groups() -> None:
    """Each is told by its client id; one that has joined none under its own reads for the group joined last."""
    talk = Conversation()
    other = KafkaCodec(talk.codec._link.shared, at_relay)

    def named(frame: bytes, name: bytes) -> bytes:
        """Return a request with another client id in its head."""
        at = 12 + 2 + len(client(frame))
        body = frame[4:12] + len(name).to_bytes(2, "big") + name + frame[at:]
        return len(body).to_bytes(4, "big") + body

    joins = [request(Api.JOIN_GROUP, 5, number, group_id=group) for number, group in ((1, "a"), (2, "b"))]
    for codec, frame, name in zip((talk.codec, other), joins, (b"x", b"y"), strict=True):
        codec.received("subject", named(frame, name))
    groups = {}
    for name in (b"y", b"x", b"z"):
        link = KafkaCodec(talk.codec._link.shared, at_relay)
        (segment,) = link.received("subject", named(request(Api.FETCH, 12, 3), name))
        groups[name] = [event.group for event in segment.events]
    assert groups == {b"y": ["b"], b"x": ["a"], b"z": ["b"]}


def test_a_commit_covers_what_lies_below_it() -> None:
    """Each copy is covered once, by the first commit above it, and settled by its answer."""
    talk = Conversation()
    talk.fetches(packed(0, 1, 2))
    asked, answered = talk.commits(2)
    assert [(e.event, e.copy, e.offset, e.group) for e in asked] == [
        ("commit", "m0#1", 2, "group"),
        ("commit", "m1#1", 2, "group"),
    ]
    assert [(e.of, e.copy, e.settles, e.ok) for e in answered] == [
        ("commit", "m0#1", True, True),
        ("commit", "m1#1", True, True),
    ]
    assert copies(talk.commits(3)[1]) == ["m2#1"]


def test_a_commit_of_nothing_new_settles_nothing() -> None:
    """It is one event without a copy."""
    asked, answered = Conversation().commits(1)
    assert [(e.event, e.copy, e.queue, e.offset) for e in asked] == [("commit", None, TOPIC, 1)]
    assert [(e.event, e.copy, e.settles) for e in answered] == [("response", None, False)]


def test_a_copy_of_an_earlier_case_is_not_settled() -> None:
    """Copies are called the same in every case: what the last one left uncovered is none of this one's."""
    talk = Conversation()
    talk.fetches(packed(0))
    talk.names.begin("next", [], {})
    assert copies(talk.commits(1)[1]) == [None]


def test_a_refused_commit_gives_back() -> None:
    """The copies of a refused commit are covered by the next one."""
    talk = Conversation()
    talk.fetches(packed(0))
    refused = talk.commits(1, ErrorCode.illegal_generation)[1]
    assert [(e.copy, e.settles, e.ok, e.note) for e in refused] == [
        ("m0#1", False, False, "illegal_generation")
    ]
    assert [(e.copy, e.settles) for e in talk.commits(1)[1]] == [("m0#1", True)]


def test_a_later_commit_settles_what_an_earlier_one_could_not() -> None:
    """Two commits on their way, the first refused: the second covers the copies of both."""
    talk = Conversation()
    talk.fetches(packed(0, 1))
    for number, offset in ((5, 1), (6, 2)):
        talk.say("subject", request(Api.OFFSET_COMMIT, 8, number, committed_offset=offset))
    talk.say("broker", answer(Api.OFFSET_COMMIT, 8, 5, error_code=ErrorCode.request_timed_out))
    settled = talk.events("broker", answer(Api.OFFSET_COMMIT, 8, 6))
    assert [(e.copy, e.settles) for e in settled] == [("m1#1", True), ("m0#1", True)]


def test_a_commit_that_was_not_answered_gives_back() -> None:
    """One whose link ended covers nothing, whether or not it ever left the relay."""
    talk = Conversation()
    talk.fetches(packed(0))
    commit = request(Api.OFFSET_COMMIT, 8, 5, committed_offset=1)
    assert copies(talk.events("subject", commit)) == ["m0#1"]
    talk.codec.closed()
    assert copies(talk.commits(1)[1]) == ["m0#1"]


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_settles_when_it_has_committed(commit: bool) -> None:
    """The answer to the offsets settles nothing; the answer to EndTxn does, or gives back."""
    talk = Conversation()
    talk.fetches(packed(0))
    talk.say("subject", request(Api.TXN_OFFSET_COMMIT, 3, 5, committed_offset=1, **TRANSACTION))
    offsets = talk.events("broker", answer(Api.TXN_OFFSET_COMMIT, 3, 5))
    ending = talk.events("subject", request(Api.END_TXN, 1, 6, committed=commit, **TRANSACTION))
    ended = talk.events("broker", answer(Api.END_TXN, 1, 6))
    assert [(e.of, e.copy, e.settles) for e in offsets] == [("commit", "m0#1", False)]
    assert [(e.event, e.copy, e.note) for e in ending] == [
        ("end-txn", "m0#1", "commit" if commit else "abort")
    ]
    assert [(e.of, e.copy, e.settles) for e in ended] == [("end-txn", "m0#1", commit)]
    assert copies(talk.commits(1)[1]) == [None if commit else "m0#1"]


def test_a_partition_may_be_named_twice_in_one_commit() -> None:
    """Once for each of its records, as some clients do: the transaction covers all of them."""
    talk = Conversation()
    talk.fetches(packed(0, 1))
    whole = filled(load_request_schema(Api.TXN_OFFSET_COMMIT, 3), PLAIN | TRANSACTION)
    (topic,) = whole.topics
    parts = tuple(replace(topic.partitions[0], committed_offset=i64(offset)) for offset in (1, 2))
    twice = replace(whole, topics=(replace(topic, partitions=parts),))
    assert copies(talk.events("subject", write_request(twice, 5))) == ["m0#1", "m1#1"]
    talk.say("broker", answer(Api.TXN_OFFSET_COMMIT, 3, 5))
    ending = talk.events("subject", request(Api.END_TXN, 1, 6, committed=True, **TRANSACTION))
    assert copies(ending) == ["m0#1", "m1#1"]


def buried(talk: Conversation, *from_broker: bytes) -> bool:
    """Feed the broker's answers, and return whether the link is buried then."""
    for frame in from_broker:
        talk.say("broker", frame)
    return talk.codec.buried


def test_burial_waits_for_what_changes_something() -> None:
    """A commit on its way is awaited; a fetch that the broker holds is not."""
    talk = Conversation()
    talk.say("subject", request(Api.OFFSET_COMMIT, 8, 5, committed_offset=1) + request(Api.FETCH, 12, 6))
    assert not buried(talk)
    talk.codec.bury()
    assert not buried(talk)
    assert buried(talk, answer(Api.OFFSET_COMMIT, 8, 5))


def test_burial_asks_a_last_question() -> None:
    """A commit that the relay never passed on is never answered; what was asked behind it is."""
    talk = Conversation()
    talk.fetches(packed(0))
    talk.say("subject", request(Api.OFFSET_COMMIT, 8, 5, committed_offset=1))
    last = talk.codec.bury()
    api, version, number = struct.unpack_from(">hhi", last, 4)
    assert (api, talk.codec.bury()) == (Api.API_VERSIONS, b"")
    assert not buried(talk)
    assert buried(talk, answer(api, version, number))
    assert copies(talk.commits(1)[1]) == ["m0#1"]


def test_burial_asks_nothing_where_nothing_is_owed() -> None:
    """Acks=0 has no answer, a join may wait for the other members for minutes, a fetch changes nothing."""
    talk = Conversation()
    talk.say("subject", request(Api.PRODUCE, 9, 5, acks=0, records=Records(packed(0))))
    talk.say("subject", request(Api.JOIN_GROUP, 5, 6, member_id="me") + request(Api.FETCH, 12, 7))
    assert talk.codec.bury() == b""
    assert buried(talk)


def test_burial_waits_for_a_member_id() -> None:
    """A join that only asks for its member id keeps the group waiting, so the id must be known."""
    talk = Conversation()
    talk.say("subject", request(Api.JOIN_GROUP, 5, 6, member_id=""))
    talk.codec.bury()
    assert not buried(talk)
    required = ErrorCode.member_id_required
    assert buried(talk, answer(Api.JOIN_GROUP, 5, 6, member_id="me", error_code=required))


def test_the_answer_by_which_a_member_is_in_its_group() -> None:
    """Not the one that only gives out an id; of the newer protocol, that to the first heartbeat alone."""
    talk, heard = Conversation(), []
    for number, error in enumerate((ErrorCode.member_id_required, ErrorCode.none)):
        talk.say("subject", request(Api.JOIN_GROUP, 5, number))
        heard.append(talk.events("broker", answer(Api.JOIN_GROUP, 5, number, error_code=error)))
    for number, epoch in enumerate((0, 1)):
        talk.say("subject", request(Api.CONSUMER_GROUP_HEARTBEAT, 1, number, member_epoch=epoch))
        heard.append(talk.events("broker", answer(Api.CONSUMER_GROUP_HEARTBEAT, 1, number)))
    assert [[(each.event, each.of) for each in events] for events in heard] == [
        [], [("response", "join")], [("response", "join")], [],
    ]  # fmt: skip


def test_versions_that_we_cannot_read_are_not_offered() -> None:
    """ApiVersions is lowered where we read, untouched elsewhere, and untouched when it is an error."""
    talk = Conversation()
    for version in range(4):
        flexible = version >= 3
        tail = b"\x00" if flexible else b""
        ranges = [(Api.FETCH, 4, 99), (Api.OFFSET_COMMIT, 2, 3), (Api.SYNC_GROUP, 0, 99)]
        lowered = [(Api.FETCH, 4, 18), (Api.OFFSET_COMMIT, 2, 3), (Api.SYNC_GROUP, 0, 99)]
        frames = []
        for offered in (ranges, lowered):
            count = b"\x04" if flexible else struct.pack(">i", 3)
            body = count + b"".join(struct.pack(">hhh", *each) + tail for each in offered)
            data = struct.pack(">ih", 1, 0) + body + struct.pack(">i", 0)[: 4 if version else 0] + tail
            frames.append(struct.pack(">i", len(data)) + data)
        talk.say("subject", request(Api.API_VERSIONS, version))
        assert talk.say("broker", frames[0]) == [Segment(frames[1])]
    refused = struct.pack(">iih", 6, 1, 35)
    talk.say("subject", request(Api.API_VERSIONS, 3))
    assert talk.say("broker", refused) == [Segment(refused)]


class Broker:
    """A connection of the relay's own that keeps what is asked, and answers without an error."""

    def __init__(self, *errors: ErrorCode) -> None:
        self.asked: list[int] = []
        self.errors = list(errors)
        self.open = True

    async def ask(self, frame: bytes) -> bytes:
        """Answer a request."""
        api, version, number = struct.unpack_from(">hhi", frame, 4)
        self.asked.append(api)
        error = self.errors.pop(0) if self.errors else ErrorCode.none
        return answer(Api(api), version, number, error_code=error)

    def close(self) -> None:
        """Note the end."""
        self.open = False


def test_farewell_leaves_for_every_member_and_for_static_ones_for_good() -> None:
    """By LeaveGroup or by a last heartbeat, once each; a later farewell has nothing to say, but to end it for good."""
    talk, broker = Conversation(), Broker(ErrorCode.coordinator_load_in_progress)
    talk.say("subject", request(Api.JOIN_GROUP, 5, 5, group_id="a"))
    talk.say("broker", answer(Api.JOIN_GROUP, 5, 5, member_id="me"))
    talk.say("subject", request(Api.JOIN_GROUP, 5, 6, group_id="b", group_instance_id="static"))
    talk.say("broker", answer(Api.JOIN_GROUP, 5, 6, member_id="static-1"))
    talk.say("subject", request(Api.JOIN_GROUP, 5, 7, group_id="b", group_instance_id="static"))
    talk.say("broker", answer(Api.JOIN_GROUP, 5, 7, member_id="static-2"))
    talk.say("subject", request(Api.CONSUMER_GROUP_HEARTBEAT, 0, 7, group_id="c", member_epoch=0))
    talk.say("broker", answer(Api.CONSUMER_GROUP_HEARTBEAT, 0, 7, member_id="new"))

    async def connect() -> Broker:
        return broker

    events = asyncio.run(talk.wire.farewell(connect, for_good=False))
    assert [(e.event, e.group, e.note, e.ok) for e in events] == [
        ("left", "a", "me none", True),
        ("left", "c", "new none", True),
    ]
    assert broker.asked == [Api.LEAVE_GROUP, Api.LEAVE_GROUP, Api.CONSUMER_GROUP_HEARTBEAT]
    assert not broker.open
    assert asyncio.run(talk.wire.farewell(connect, for_good=False)) == ()
    events = asyncio.run(talk.wire.farewell(connect, for_good=True))
    assert [(e.group, e.note, e.ok) for e in events] == [("b", "static-2 none", True)]
    assert asyncio.run(talk.wire.farewell(connect, for_good=True)) == ()


def test_a_static_member_of_the_consumer_protocol_leaves_as_any_other() -> None:
    """Or its broker would not let a successor in (KIP-848); a successor that was refused hides nobody."""
    talk, broker = Conversation(), Broker()
    for name, error in (("old", ErrorCode.none), ("new", ErrorCode.unreleased_instance_id)):
        fields = {"group_id": "a", "member_id": name, "instance_id": "static"}
        talk.say("subject", request(Api.CONSUMER_GROUP_HEARTBEAT, 1, 5, member_epoch=0, **fields))
        talk.say("broker", answer(Api.CONSUMER_GROUP_HEARTBEAT, 1, 5, member_id=name, error_code=error))

    async def connect() -> Broker:
        return broker

    events = asyncio.run(talk.wire.farewell(connect, for_good=False))
    assert [(e.group, e.note, e.ok) for e in events] == [("a", "old none", True), ("a", "new none", True)]


def test_who_has_left_needs_no_farewell() -> None:
    """A clean close is not repeated; a transaction left open is aborted."""
    talk, broker = Conversation(), Broker()
    talk.say("subject", request(Api.JOIN_GROUP, 5, 5))
    talk.say("broker", answer(Api.JOIN_GROUP, 5, 5, member_id="me"))
    talk.say("subject", request(Api.LEAVE_GROUP, 1, 6, member_id="me"))
    talk.say("broker", answer(Api.LEAVE_GROUP, 1, 6))
    sent = {f"v3_and_below_{name}": value for name, value in TRANSACTION.items()}
    talk.say("subject", request(Api.ADD_PARTITIONS_TO_TXN, 1, 7, **sent))

    async def connect() -> Broker:
        return broker

    events = asyncio.run(talk.wire.farewell(connect, for_good=False))
    assert [(e.event, e.note, e.ok) for e in events] == [("left", "transaction tx none", True)]
    assert broker.asked == [Api.END_TXN]


@pytest.mark.parametrize("flexible", [True, False])
def test_a_number_without_an_end_is_given_up_at_once(flexible: bool) -> None:
    """Neither in a head nor in a record does it take the square of its length, which would stop every link."""
    talk, endless = Conversation(), b"\xff" * 2_000_000
    if flexible:
        asked = struct.pack(">ihhih", 10 + len(endless), Api.METADATA, 12, 4, -1) + endless
        began = time.monotonic()
        talk.say("subject", asked)
        answered = struct.pack(">ii", 4 + len(endless), 4) + endless
        assert [event.event for event in talk.events("broker", answered)] == ["unreadable"]
    else:
        batch = packed(0)[:62]
        batch = batch[:8] + struct.pack(">i", 50 + len(endless)) + batch[12:] + b"\x00\x00\x00" + endless
        began = time.monotonic()
        talk.fetches(batch)
    assert time.monotonic() - began < 5
