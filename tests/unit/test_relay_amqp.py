"""AMQP as the relay reads it: the same bytes go on, and the events say what passed."""

import struct
from typing import Any

import pytest
from pamqp import body, commands, frame, header, heartbeat
from pamqp.base import Frame
from pamqp.common import FieldValue

from atleastonce.history import Event
from atleastonce.relay.amqp import AmqpCodec
from atleastonce.relay.codec import COPY_HEADER, From, Names

Basic, Channel, Connection = commands.Basic, commands.Channel, commands.Connection
GREETING = b"AMQP\x00\x00\x09\x01"
M1, M2 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
HEADERS = {COPY_HEADER: "case-1/m1#1"}
BODIES = {"m1": b"the first", "m2": b"the second"}


class Talk:
    """A connection as the two sides use it; everything that passes is kept."""

    def __init__(self, greet: bool = True) -> None:
        names = Names()
        names.begin("case-1", [(M1, "m1"), (M2, "m2")], BODIES)
        self.codec = AmqpCodec(names)
        self.passed: dict[From, bytes] = {"subject": b"", "broker": b""}
        self.events: list[Event] = []
        if greet:
            self.sends("subject", GREETING)

    def sends(self, side: From, data: bytes) -> None:
        """Let bytes come from one side."""
        for segment in self.codec.received(side, data):
            self.passed[side] += segment.data
            self.events += segment.events

    def subject(self, *methods: Frame | bytes, channel: int = 1) -> list[tuple[Any, ...]]:
        """Let the subject send, and return the events of it, in short."""
        return self._said("subject", methods, channel)

    def broker(self, *methods: Frame | bytes, channel: int = 1) -> list[tuple[Any, ...]]:
        """Let the broker send, and return the events of it, in short."""
        return self._said("broker", methods, channel)

    def _said(self, side: From, methods: tuple[Frame | bytes, ...], channel: int) -> list[tuple[Any, ...]]:
        before = len(self.events)
        for method in methods:
            self.sends(side, method if isinstance(method, bytes) else frame.marshal(method, channel))
        return [short(event) for event in self.events[before:]]


def short(event: Event) -> tuple[Any, ...]:
    """Return what matters of an event: its name, tag and copy, and what it did."""
    flags = ("requeue", "settles", "redelivered")
    told = [flag for flag in flags if getattr(event, flag)] + ([] if event.ok else ["not ok"])
    return (event.event, event.tag, event.copy or event.message, *told)


def content(
    method: Frame, text: bytes = b"", *, channel: int = 1, size: int = 10, **properties: Any
) -> bytes:
    """Return a method with its content, the body in frames of at most `size`."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    head = header.ContentHeader(0, len(text), Basic.Properties(**properties))
    begun = frame.marshal(method, channel) + frame.marshal(head, channel)
    return begun + b"".join(frame.marshal(body.ContentBody(part), channel) for part in parts)


def delivery(tag: int, consumer: str = "c", *, headers: dict[str, Any] | None = None, **more: Any) -> bytes:
    """Return a delivery of m1's first copy, or of what these headers name."""
    given = HEADERS if headers is None else headers
    return content(
        Basic.Deliver(consumer, tag, more.pop("again", False), "", "in"), b"{}", headers=given, **more
    )


def consuming(no_ack: bool = False) -> Talk:
    """Return a connection on which the subject consumes from the queue ``in``."""
    talk = Talk()
    talk.subject(Basic.Consume(queue="in", consumer_tag="c", no_ack=no_ack))
    talk.broker(Basic.ConsumeOk("c"))
    return talk


WHOLE: list[tuple[From, bytes]] = [
    ("subject", GREETING),
    ("broker", frame.marshal(Connection.Start(server_properties={"product": "RabbitMQ"}), 0)),
    ("broker", frame.marshal(Connection.OpenOk(), 0)),
    ("subject", frame.marshal(Basic.Consume(queue="in", consumer_tag="c"), 1)),
    (
        "broker",
        frame.marshal(Basic.ConsumeOk("c"), 1) + delivery(1) + frame.marshal(heartbeat.Heartbeat(), 0),
    ),
    ("subject", frame.marshal(commands.Confirm.Select(), 1)),
    ("subject", content(Basic.Publish(0, "", "out"), M1.encode() * 3, message_id="x")),
    ("broker", frame.marshal(Basic.Ack(1), 1)),
    ("subject", frame.marshal(Basic.Ack(1), 1)),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 50, 10_000])
def test_split_at_any_byte_the_same_passes(size: int) -> None:
    """However the bytes come, the same bytes go on and the same events are read."""
    talk = Talk(greet=False)
    for side, data in WHOLE:
        for at in range(0, len(data), size):
            talk.sends(side, data[at : at + size])
    for each in ("subject", "broker"):
        assert talk.passed[each] == b"".join(data for side, data in WHOLE if side == each)
    assert [short(event) for event in talk.events] == [
        ("consume", 0, None),
        ("deliver", 1, "m1#1"),
        ("publish", 1, "m1"),
        ("confirm", 1, "m1"),
        ("ack", 1, "m1#1", "settles"),
    ]


@pytest.mark.parametrize("at", range(1, len(delivery(1))))
def test_split_inside_a_delivery_passes_nothing_too_early(at: int) -> None:
    """A message goes on as a whole: until its last byte is there, a trap may still stop it."""
    talk, data = consuming(), delivery(1)
    passed = talk.passed["broker"]
    assert (talk.broker(data[:at]), talk.passed["broker"]) == ([], passed)
    assert (talk.broker(data[at:]), talk.passed["broker"]) == ([("deliver", 1, "m1#1")], passed + data)


def test_delivery_is_told_in_full() -> None:
    """Queue by consumer tag, size, side and channel."""
    talk = consuming()
    talk.broker(delivery(5, again=True))
    assert talk.events[-1] == Event(
        event="deliver", side="broker", channel=1, tag=5, message="m1", copy="m1#1", queue="in",
        redelivered=True, size=2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (Basic.Ack(2), [("ack", 2, "m1#1", "settles")]),
        (Basic.Ack(2, multiple=True), [("ack", 1, "m1#1", "settles"), ("ack", 2, "m1#1", "settles")]),
        (Basic.Ack(0, multiple=True), [("ack", n, "m1#1", "settles") for n in (1, 2, 3)]),
        (Basic.Ack(9), []),
        (Basic.Nack(3, requeue=True), [("nack", 3, "m1#1", "requeue")]),
        (Basic.Nack(2, multiple=True, requeue=False), [("nack", n, "m1#1", "settles") for n in (1, 2)]),
        (Basic.Nack(0, multiple=True, requeue=True), [("nack", n, "m1#1", "requeue") for n in (1, 2, 3)]),
        (Basic.Reject(1, requeue=True), [("reject", 1, "m1#1", "requeue")]),
        (Basic.Reject(1, requeue=False), [("reject", 1, "m1#1", "settles")]),
        (Basic.Reject(9, requeue=False), []),
        (Basic.Recover(requeue=True), [("nack", n, "m1#1", "requeue") for n in (1, 2, 3)]),
    ],
)
def test_settlement_of_deliveries(method: Frame, told: list[tuple[Any, ...]]) -> None:
    """`multiple` covers all up to a tag, tag 0 all there are; what was settled is settled once."""
    talk = consuming()
    talk.broker(delivery(1), delivery(2), delivery(3))
    assert talk.subject(method) == told
    said = {event.note for event in talk.events if event.event == told[0][0]} if told else set()
    assert said == ({"one for several"} if len(told) > 1 else {""} if told else set())
    assert talk.subject(method) == []


def test_tags_count_per_channel() -> None:
    """Tag 1 of one channel is not tag 1 of another."""
    talk = consuming()
    other = {COPY_HEADER: "case-1/m2#1"}
    talk.broker(delivery(1), delivery(1, headers=other, channel=2))
    assert talk.subject(Basic.Ack(1), channel=2) == [("ack", 1, "m2#1", "settles")]
    assert talk.subject(Basic.Ack(1), channel=1) == [("ack", 1, "m1#1", "settles")]


def test_delivery_without_acknowledgement_settles_itself() -> None:
    """With no-ack nothing more will come."""
    assert consuming(no_ack=True).broker(delivery(1)) == [("deliver", 1, "m1#1", "settles")]


@pytest.mark.parametrize(("no_ack", "flags"), [(False, ()), (True, ("settles",))])
def test_get_is_a_delivery(no_ack: bool, flags: tuple[str, ...]) -> None:
    """Answers come in the order of the questions, an empty one included."""
    talk = Talk()
    talk.subject(Basic.Get(queue="empty"), Basic.Get(queue="in", no_ack=no_ack))
    got = content(Basic.GetOk(1, False, "", "in", 0), b"{}", headers=HEADERS)
    assert talk.broker(Basic.GetEmpty(), got) == [("deliver", 1, "m1#1", *flags)]
    assert talk.events[-1].queue == "in"


def test_server_named_queue_is_known_by_its_name() -> None:
    """No name means the queue that was declared last on the channel, and its declaration says the name."""
    talk = Talk()
    talk.subject(commands.Queue.Declare(queue="", exclusive=True))
    talk.broker(commands.Queue.DeclareOk("amq.gen-1", 0, 0))
    talk.subject(Basic.Consume(queue="", consumer_tag="c"))
    assert talk.events[-1] == Event(
        event="consume", side="subject", channel=1, queue="amq.gen-1", settles=True
    )


@pytest.mark.parametrize(
    ("declared", "no_ack", "volatile"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"exclusive": True}, False, True),
        ({"auto_delete": True}, False, True),
        ({"durable": True}, False, False),
    ],
)
def test_subscription_settles_where_nothing_is_given_back(
    declared: dict[str, Any], no_ack: bool, volatile: bool
) -> None:
    """Without acknowledgements, or from a queue that ends with its consumers; whatever channel it was declared on."""
    talk = Talk()
    talk.sends("subject", frame.marshal(commands.Queue.Declare(queue="in", **declared), 2))
    talk.subject(Basic.Consume(queue="in", consumer_tag="c", no_ack=no_ack))
    assert talk.events[-1].settles is volatile


def test_consumers_that_wait_for_no_answer() -> None:
    """Without an answer to wait for, the next consumer's answer still belongs to the next consumer."""
    talk = Talk()
    talk.subject(commands.Queue.Declare(queue="in", nowait=True))
    talk.subject(Basic.Consume(queue="", consumer_tag="a", nowait=True, no_ack=True))
    talk.subject(Basic.Consume(queue="other", consumer_tag="b"))
    talk.broker(Basic.ConsumeOk("b"), delivery(1, "a"), delivery(2, "b"))
    assert [(event.queue, event.settles) for event in talk.events[-2:]] == [("in", True), ("other", False)]


def test_subscribed_while_a_consumer_is_confirmed() -> None:
    """Asking is not yet consuming; a cancelled consumer, or a closed channel, consumes no more."""
    talk = Talk()
    talk.subject(Basic.Consume(queue="in", consumer_tag="c"))
    seen = [talk.codec.subscribed]
    for method in (Basic.ConsumeOk("c"), Basic.CancelOk("c"), Basic.ConsumeOk("c")):
        talk.broker(method)
        seen.append(talk.codec.subscribed)
    assert seen == [False, True, False, False]
    again = consuming()
    again.subject(Channel.Close(200, "", 0, 0))
    assert not again.codec.subscribed


def publishing() -> Talk:
    """Return a connection that confirms, with three publications of m1 and m2 in turn."""
    talk = Talk()
    talk.subject(commands.Confirm.Select())
    for each in (M1, M2, M1):
        talk.subject(content(Basic.Publish(0, "x", "key"), each.encode()))
    return talk


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (Basic.Ack(2), [("confirm", 2, "m2")]),
        (Basic.Ack(2, multiple=True), [("confirm", 1, "m1"), ("confirm", 2, "m2")]),
        (Basic.Ack(0, multiple=True), [("confirm", 1, "m1"), ("confirm", 2, "m2"), ("confirm", 3, "m1")]),
        (Basic.Nack(3), [("confirm", 3, "m1", "not ok")]),
        (Basic.Ack(4), []),
    ],
)
def test_confirms_are_matched_by_sequence_number(method: Frame, told: list[tuple[Any, ...]]) -> None:
    """Out of order, several at once, refused: each publication is confirmed once."""
    talk = publishing()
    assert talk.broker(method) == told
    assert talk.broker(method) == []


def test_transaction_holds_what_was_published_and_settled_in_it() -> None:
    """Each message once, and only since the last commit; what was rolled back, or on no such channel, is not in it."""
    commit, committed = commands.Tx.Commit(), commands.Tx.CommitOk()
    talk = consuming()
    assert talk.subject(commit) == []
    talk.subject(commands.Tx.Select())
    talk.subject(content(Basic.Publish(0, "", "out"), M2.encode()), commands.Tx.Rollback())
    talk.broker(delivery(1))
    talk.subject(content(Basic.Publish(0, "", "out"), M1.encode()), Basic.Ack(1))
    assert talk.subject(commit) == [("tx-commit", 0, "m1#1")]
    assert talk.broker(committed) == [("tx-commit-ok", 0, "m1#1")]
    assert (talk.subject(commit), talk.broker(committed)) == ([], [])


def test_publication_says_where_it_goes() -> None:
    """The default exchange means a queue; a returned message names the same place."""
    talk = Talk()
    talk.subject(content(Basic.Publish(0, "", "out"), b"{}", correlation_id=M1))
    talk.subject(content(Basic.Publish(0, "x", "key"), BODIES["m1"], headers=HEADERS))
    talk.broker(content(Basic.Return(312, "NO_ROUTE", "x", "key"), BODIES["m1"], headers=HEADERS))
    assert [(e.event, e.queue, e.copy or e.message, e.tag, e.note) for e in talk.events] == [
        ("publish", "out", "m1", 0, ""),
        ("publish", "x/key", "m1#1", 0, ""),
        ("return", "x/key", "m1#1", 0, "NO_ROUTE"),
    ]


@pytest.mark.parametrize(
    ("exchange", "body", "properties", "delays"),
    [
        ("", BODIES["m1"], {"expiration": "500"}, ["later"]),
        ("retry", BODIES["m1"], {"expiration": "500"}, [""]),
        ("", BODIES["m1"], {}, []),
        ("", b"an output", {"expiration": "500"}, []),
    ],
)
def test_copy_that_is_given_a_time_to_live_may_come_back(exchange, body, properties, delays) -> None:
    """Out of that queue, or out of whichever an exchange puts it into; an output is no copy."""
    talk = Talk()
    talk.subject(
        Channel.Open(),
        content(Basic.Publish(0, exchange, "later"), body, headers=HEADERS, **properties),
    )
    assert [event.queue for event in talk.events if event.event == "delays"] == delays


@pytest.mark.parametrize(
    ("properties", "text", "found"),
    [
        ({"headers": HEADERS}, BODIES["m1"].decode(), ("m1", "m1#1")),
        ({"headers": HEADERS}, M2, ("m1", None)),
        ({"headers": {COPY_HEADER: "case-0/m1#1"}}, "{}", (None, None)),
        ({"headers": {COPY_HEADER: 5}}, "{}", (None, None)),
        ({"headers": {"trace": [{"order": M2}]}}, "{}", ("m2", None)),
        ({"message_id": M1}, "{}", ("m1", None)),
        ({"message_id": M1}, f'{{"order": "{M2.upper()}"}}', ("m2", None)),
        ({}, "{}", (None, None)),
    ],
)
def test_message_is_told_by_header_then_by_id(
    properties: dict[str, Any], text: str, found: tuple[str | None, str | None]
) -> None:
    """Our header and the same body are proof of a copy; an id of ours anywhere in it, of a message."""
    talk = Talk()
    talk.subject(content(Basic.Publish(0, "", "out"), text.encode(), size=100, **properties))
    assert [(event.message, event.copy) for event in talk.events] == [found]


def test_interleaved_channels() -> None:
    """The frames of two messages may come in turn; each is told when it is whole."""
    talk, both = (
        Talk(),
        [content(Basic.Publish(0, "", "q"), m.encode(), channel=n) for n, m in ((1, M1), (2, M2))],
    )
    parts = [list(frames(each)) for each in both]
    for one, two in zip(*parts, strict=True):
        talk.subject(one, two)
    assert [(event.channel, event.message) for event in talk.events] == [(1, "m1"), (2, "m2")]
    assert talk.passed["subject"] == GREETING + b"".join(both)


def frames(data: bytes) -> Any:
    """Yield the frames of some bytes."""
    while data:
        size = 8 + int.from_bytes(data[3:7], "big")
        yield data[:size]
        data = data[size:]


def test_channel_close_gives_back() -> None:
    """An ack that comes too late settles nothing, and the channel's number may be used again."""
    talk = consuming()
    talk.broker(delivery(1))
    assert talk.broker(Channel.Close(406, "PRECONDITION_FAILED", 60, 80)) == [("closed", 0, None)]
    assert (talk.events[-1].channel, talk.events[-1].note) == (1, "PRECONDITION_FAILED")
    assert talk.subject(Basic.Ack(1), content(Basic.Publish(0, "", "q"), b"{}"), Channel.CloseOk()) == []
    talk.subject(Channel.Open(), Basic.Consume(queue="in", consumer_tag="c"))
    assert talk.broker(Basic.ConsumeOk("c"), delivery(1)) == [("deliver", 1, "m1#1")]


def test_delivery_on_its_way_to_a_closing_channel_is_none() -> None:
    """The client drops it, so it is in nobody's hands; but its frames pass whole."""
    talk, late = consuming(), [*frames(delivery(1))]
    talk.broker(late[0])
    assert talk.subject(Channel.Close(200, "", 0, 0)) == [("closed", 0, None)]
    passed = talk.passed["broker"]
    assert talk.broker(*late[1:], delivery(2), Channel.CloseOk()) == []
    assert talk.passed["broker"] == passed + delivery(1) + delivery(2) + frame.marshal(Channel.CloseOk(), 1)


def test_end_of_the_link_closes_every_open_channel() -> None:
    """A channel that was closed already is not closed twice."""
    talk = consuming()
    talk.subject(Channel.Open(), channel=2)
    talk.subject(Channel.Open(), channel=3)
    talk.subject(Channel.Close(200, "", 0, 0), channel=3)
    assert talk.codec.closed() == tuple(Event(event="closed", side="broker", channel=n) for n in (1, 2))


UNKNOWN_METHOD = b"\x01\x00\x01\x00\x00\x00\x06\x00\x3c\x03\xe7ab\xce"
UNKNOWN_CLASS = b"\x01\x00\x01\x00\x00\x00\x06\x03\xe7\x00\x0aab\xce"
UNKNOWN_KIND = b"\x09\x00\x01\x00\x00\x00\x02ab\xce"
BROKEN_METHOD = b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x50a\xce"
BROKEN_TEXT = b"\x01\x00\x01\x00\x00\x00\x09\x00\x3c\x00\x28\x00\x00\x09ab\xce"
BROKEN_END = b"\x01\x00\x01\x00\x00\x00\x0d\x00\x3c\x00\x50\x00\x00\x00\x00\x00\x00\x00\x01\x00\xcd"
UNKNOWN = [UNKNOWN_METHOD, UNKNOWN_CLASS, UNKNOWN_KIND, BROKEN_METHOD, BROKEN_TEXT, BROKEN_END]


@pytest.mark.parametrize("data", UNKNOWN)
def test_what_is_unknown_passes_untouched(data: bytes) -> None:
    """A frame of a newer protocol means nothing here, and what comes behind it is read as ever."""
    talk = consuming()
    for side in ("subject", "broker"):
        passed = talk.passed[side]
        talk.sends(side, data)
        assert talk.passed[side] == passed + data
    assert talk.broker(delivery(1)) == [("deliver", 1, "m1#1")]


def test_header_that_cannot_be_read_does_not_hide_the_message() -> None:
    """A timestamp far beyond any date (milliseconds) is no reason to lose a delivery."""
    talk = consuming()
    raw = content(Basic.Deliver("c", 1, False, "", "in"), M1.encode(), timestamp=None, app_id="12345678")
    flags, place = b"\x00\x08", raw.index(b"\x00\x08\x0812345678")
    broken = raw[:place] + b"\x00\x40" + b"\xff" * 8 + b"!" + raw[place + len(flags) + 9 :]
    assert talk.broker(broken) == [("deliver", 1, "m1")]
    assert talk.passed["broker"].endswith(broken)


@pytest.mark.parametrize("broken", [b"", b"\x00\x3c\x00\x00", b"\x00\x3c\x00\x00" + b"\x00" * 7])
def test_header_that_is_too_short_passes(broken: bytes) -> None:
    """The broker is to answer to it, not we."""
    talk = Talk()
    publish = frame.marshal(Basic.Publish(routing_key="in"), 1)
    head = struct.pack(">BHI", 2, 1, len(broken)) + broken + b"\xce"
    talk.sends("subject", publish + head)
    assert talk.passed["subject"] == GREETING + publish + head


def test_message_that_another_one_interrupts_passes() -> None:
    """Such a client is wrong, and the broker says so to it."""
    talk = Talk()
    half, whole = (
        frame.marshal(Basic.Publish(routing_key="a"), 1),
        content(Basic.Publish(routing_key="b"), b"{}"),
    )
    talk.sends("subject", half + whole)
    assert talk.passed["subject"] == GREETING + half + whole


@pytest.mark.parametrize("life", ["soon", -1, 0, True, None])
def test_life_of_messages_that_no_broker_accepts_is_none(life: FieldValue) -> None:
    """The broker refuses the queue; nothing expires."""
    declare = commands.Queue.Declare(queue="in", arguments={"x-message-ttl": life})
    assert [event for event, *_ in Talk().subject(declare)] == []


def test_answers_that_nobody_asked_for_are_no_failure() -> None:
    """A broker that surprises us must not end the relay."""
    assert Talk().broker(Basic.GetEmpty(), Basic.ConsumeOk("c"), Basic.CancelOk("c"), Basic.Ack(1)) == []


def test_link_that_speaks_something_else_passes_untouched() -> None:
    """TLS, or anything that does not begin as AMQP does, is not ours to read."""
    talk = Talk(greet=False)
    talk.sends("subject", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    talk.sends("broker", GREETING)
    assert (talk.passed, talk.events) == (
        {"subject": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "broker": GREETING},
        [],
    )


def test_broker_that_refuses_the_version_is_heard() -> None:
    """It answers with the greeting that it would take."""
    talk = Talk()
    talk.sends("broker", GREETING)
    assert talk.passed["broker"] == GREETING


def test_burial_asks_the_broker_to_close() -> None:
    """Buried is what the broker has answered: everything before it was processed."""
    talk = Talk()
    talk.broker(Connection.OpenOk(), channel=0)
    assert isinstance(frame.unmarshal(talk.codec.bury())[2], Connection.Close)
    before = talk.codec.buried
    talk.broker(Connection.CloseOk(), channel=0)
    assert (before, talk.codec.buried) == (False, True)
    assert talk.codec.bury() == b""


def test_link_that_was_never_opened_needs_no_burial() -> None:
    """Before the broker has opened the connection, nothing was passed to it that could count."""
    codec = Talk().codec
    assert (codec.bury(), codec.buried) == (b"", True)


def test_connection_that_the_broker_ends_is_buried() -> None:
    """It has given everything back by itself."""
    talk = Talk()
    talk.broker(Connection.OpenOk(), Connection.Close(320, "CONNECTION_FORCED", 0, 0), channel=0)
    assert (talk.codec.buried, talk.codec.bury()) == (True, b"")
