"""The cast of a case: ids of its own going out, names instead of ids coming back."""

import base64
import gzip
import itertools
import json
import zlib
from typing import Any
from uuid import UUID

import msgspec
import pytest

from atleastonce.casting import Cast, cast_list, dead_letters, outputs
from atleastonce.contract import BrokerTable, Contract, Input, Kind, OutputTable, Poison
from atleastonce.history import Output
from atleastonce.relay.codec import COPY_HEADER, Names
from atleastonce.schedule import Message, Schedule
from atleastonce.transports import Letter

BODY = '{"message_id": "{message_id}", "order": "{id}", "n": {n}, "literal": "{{id}}"}'


def cast(
    case: str = "lane-1/case-1",
    declared: str = "",
    key: str | None = None,
    names: Names | None = None,
    kind: Kind = "rabbitmq",
) -> Cast:
    """Return the cast of a case of two messages."""
    contract = Contract(
        broker=BrokerTable(kind=kind),
        input=Input(
            message=BODY, properties={"message_id": "{message_id}"}, headers={"h": "{id}-{n}"}, key=key
        ),
        output=OutputTable(id=declared),
    )
    schedule = Schedule(messages={"m1": Message(body=BODY), "m2": Message(body=BODY)})
    return Cast(case, schedule, contract, itertools.count(1), names or Names())


def letter(body: Any, **fields: Any) -> Letter:
    """Return an output as it lay on the broker."""
    return Letter("out", body if isinstance(body, bytes) else json.dumps(body).encode(), **fields)


def test_copy_is_filled_and_carries_its_name() -> None:
    """Placeholders are replaced everywhere, and our header says which copy of which case this is."""
    given = cast(key="{id}", kind="kafka")
    ids = given.values["m2"]
    copy, envelope = given.next_copy("m2")
    assert copy == "m2#1"
    assert envelope.body is not None
    assert json.loads(envelope.body) == {
        "message_id": ids["message_id"], "order": ids["id"], "n": 2, "literal": "{id}",
    }  # fmt: skip
    assert envelope[1:] == (
        {"message_id": ids["message_id"]},
        {"h": f"{ids['id']}-2", COPY_HEADER: "lane-1/case-1/m2#1"},
        ids["id"],
        ids,
    )


def test_routing_key_is_filled_as_well() -> None:
    """It is the key of a message that goes to an exchange."""
    entry = Input(exchange="orders", routing_key="order.{n}", message=BODY)
    contract = Contract(broker=BrokerTable(kind="rabbitmq"), input=entry)
    given = Cast("c", Schedule(messages={"m1": Message(body=BODY)}), contract, itertools.count(7), Names())
    assert given.next_copy("m1")[1].key == "order.7"


def test_duplicate_differs_in_nothing_but_its_name() -> None:
    """A second copy of a message is the same message: body, properties, key."""
    given = cast()
    (first, one), (second, two) = given.next_copy("m1"), given.next_copy("m1")
    assert (first, second) == ("m1#1", "m1#2")
    assert one._replace(headers={}) == two._replace(headers={})


def test_ids_are_new_in_every_case_and_the_same_for_the_same_case() -> None:
    """Ids are UUIDs of ours, so that finding one is proof."""
    first, same, other = cast().values, cast().values, cast("lane-1/case-2").values
    assert first == same
    found = [
        values[key] for case in (first, other) for values in case.values() for key in ("id", "message_id")
    ]
    assert len(set(found)) == len(found) == 12
    assert all(str(UUID(each)) == each for each in found)


def test_sentinel_is_one_of_the_first_kind() -> None:
    """The message behind the last one looks like any other."""
    given = cast()
    assert given.messages["sentinel"] == Message(id="sentinel", body=BODY)


def test_ids_are_replaced_by_names_wherever_they_stand() -> None:
    """In keys, in texts and in any case of letters; ids that are not ours stay."""
    given = cast()
    order, stranger = given.values["m1"]["id"], "00000000-0000-4000-8000-000000000000"
    value = {order: [f"order {order.upper()} of {given.values['sentinel']['message_id']}", stranger, 5, None]}
    assert given.anonymous(value) == {
        "<m1.id>": ["order <m1.id> of <sentinel.message_id>", stranger, 5, None]
    }


def test_address_with_an_id_is_asked_for_every_message() -> None:
    """It is labelled by the name that two runs share, without host and port."""
    given = cast()
    found = given.addresses("http://127.0.0.1:{port}/r/{id}", {"port": "80"})
    assert found == {
        f"/r/<{name}.id>": f"http://127.0.0.1:80/r/{given.values[name]['id']}"
        for name in ("m1", "m2", "sentinel")
    }


def test_equal_paths_of_two_services_are_told_apart() -> None:
    """Else one would hide the other."""
    runtime = {"http:inventory": "http://127.0.0.1:81", "http:mail": "http://127.0.0.1:82"}
    found = [cast().addresses(f"{{http:{name}}}/state", runtime) for name in ("inventory", "mail")]
    assert found == [
        {"inventory/state": "http://127.0.0.1:81/state"},
        {"mail/state": "http://127.0.0.1:82/state"},
    ]


def test_address_without_an_id_is_asked_once() -> None:
    """A path that belongs to no message is observed as it is."""
    assert cast().addresses("http://h:{port}/stock?all={{id}}", {"port": "80"}) == {
        "/stock?all={id}": "http://h:80/stock?all={id}"
    }


def test_what_differs_from_run_to_run_stays_a_placeholder() -> None:
    """A reader is to see what was called."""
    found = cast().addresses("ledger {data_dir}/ledger.csv", {"data_dir": "folder-of-this-lane"})
    assert found == {"ledger {data_dir}/ledger.csv": "ledger folder-of-this-lane/ledger.csv"}


@pytest.mark.parametrize("where", ["header", "body", "key", "property"])
def test_output_belongs_to_the_input_whose_id_it_carries(where: str) -> None:
    """Our header proves it, and so does an id in the body, the key or a property."""
    given = cast()
    order = given.values["m2"]["id"]
    found = {
        "header": letter({}, headers={COPY_HEADER: "lane-1/case-1/m2#1"}),
        "body": letter({"order": order}),
        "key": letter({}, key=order),
        "property": letter({}, properties={"correlation_id": order}),
    }[where]
    assert given.output(found).message == "m2"


def test_output_of_another_case_belongs_to_none() -> None:
    """A late output of an earlier case is not charged to this one."""
    other = cast("lane-1/case-0").values["m1"]["id"]
    late = letter({"order": other}, headers={COPY_HEADER: "lane-1/case-0/m1#1"})
    assert cast().output(late).message is None


def test_output_that_came_too_late_is_left_to_the_case_it_belongs_to() -> None:
    """Else a repeated output of one case would look like a second effect in the next."""
    names = Names()
    earlier = cast("lane-1/case-1", names=names).values["m1"]["id"]
    now = cast("lane-1/case-2", names=names)
    late, own, nobodys = (letter({"of": each}) for each in (earlier, now.values["m1"]["id"], "?"))
    assert [output.message for output in outputs(now, (late, own, nobodys))] == ["m1", None]


@pytest.mark.parametrize(
    ("declared", "identity"),
    [
        ("", None),
        ("message_id", "p-1"),
        ("header:event", "h-1"),
        ("event", "h-1"),
        ("key", "k-1"),
        ("$.meta.id", "b-1"),
        ("$.meta.id.deeper", None),
        ("header:none", None),
    ],
)
def test_identity_of_an_output(declared: str, identity: str | None) -> None:
    """A property, a header, the key or a path makes two outputs the same one; undeclared, nothing does."""
    found = letter(
        {"meta": {"id": "b-1"}}, properties={"message_id": "p-1"}, headers={"event": b"h-1"}, key="k-1"
    )
    assert cast(declared=declared).output(found).id == identity


def test_identity_is_not_content() -> None:
    """The output's own id is taken out of its body, so that two runs compare."""
    found = letter({"id": "x-1", "all": ["x-1", "x-10"]}, properties={"message_id": "x-1"})
    assert cast(declared="message_id").output(found).body == {
        "id": "<output id>", "all": ["<output id>", "x-10"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"plain", "plain"),
        (b"\xff\x00", {"$base64": "/wA="}),
        (b"", ""),
        (None, None),
    ],
)
def test_any_body_can_be_read(body: bytes | None, read: Any) -> None:
    """JSON, text, bytes or nothing: an output is never refused."""
    assert cast().output(Letter("out", body)) == Output(queue="out", body=read)


def test_ids_are_replaced_by_names_among_bytes_that_are_no_text() -> None:
    """Two clean runs of a binary format would differ in nothing but the ids."""
    given = cast()
    body = b"\xff\x00" + given.values["m1"]["id"].encode()
    found = given.output(Letter("out", body))
    assert (found.message, found.body) == (
        "m1",
        {"$base64": base64.b64encode(b"\xff\x00<m1.id>").decode()},
    )


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_is_compressed_is_read(pack) -> None:
    """The ids in it are found, whatever its headers say; what only looks like it is left as it is."""
    given = cast(declared="$.id")
    order = given.values["m1"]["id"]
    found = given.output(letter(pack(json.dumps({"id": "a", "order": order}).encode())))
    assert (found.message, found.id, found.body) == ("m1", "a", {"id": "<output id>", "order": "<m1.id>"})
    cut = pack(b"x" * 99)[:-5]
    assert given.output(letter(cut)).body == {"$base64": base64.b64encode(cut).decode()}


def test_outputs_keep_their_order_and_headers() -> None:
    """Letters become outputs one by one; header values of any kind become plain data."""
    letters = [letter({}, headers={"x": b"\xff", "n": 1, "l": [1]}), Letter("dead", None, key="k")]
    assert outputs(cast(), letters) == (
        Output(queue="out", body={}, headers={"x": "\ufffd", "n": 1, "l": [1]}),
        Output(queue="dead", key="k"),
    )


def test_cast_list_takes_the_kinds_in_turn() -> None:
    """Several kinds of message are mixed."""
    contract = Contract(broker=BrokerTable(kind="rabbitmq"), input=Input(messages=("a", "b")))
    assert cast_list(contract, 3) == {
        "m1": Message(id="o1", body="a"),
        "m2": Message(id="o2", body="b"),
        "m3": Message(id="o3", body="a"),
    }


OWN = Poison(
    name="own",
    body='{"id": "{id}"',
    properties={"type": "{n}"},
    headers={"h": "{message_id}", "of": "poison"},
)
BYTES = Poison(name="bytes", body_base64="/wA=")


def poisoned(*, names: Names | None = None, case: str = "lane-1/case-1", http: str = "") -> Cast:
    """Return the cast of a case of an innocent message and two poisons."""
    contract = Contract(
        broker=BrokerTable(kind="rabbitmq"),
        input=Input(message=BODY, properties={"type": "order"}, headers={"h": "{id}"}, http=http),
        poison=(OWN, BYTES),
    )
    messages = {"m1": Message(body=BODY), "p1": Message(poison=0), "p2": Message(poison=1)}
    return Cast(case, Schedule(messages=messages), contract, itertools.count(1), names or Names())


def dead(given: Cast, message: str, **headers: str | None) -> Letter:
    """Return the next copy of a message as a dead letter, with more headers, or without those that are None."""
    _, envelope = given.next_copy(message)
    names = {key.replace("atleastonce_copy", COPY_HEADER): value for key, value in headers.items()}
    found = {key: value for key, value in {**envelope.headers, **names}.items() if value is not None}
    return Letter("dead", envelope.body, envelope.properties, found)


def test_poison_is_cast_with_the_input_s_fields_and_its_own() -> None:
    """Its properties and headers are filled like a message's, and come before those of every message."""
    given = poisoned()
    ids = given.values["p1"]
    assert given.next_copy("p1")[1][:3] == (
        f'{{"id": "{ids["id"]}"'.encode(),
        {"type": ids["n"]},
        {"h": ids["message_id"], "of": "poison", COPY_HEADER: "lane-1/case-1/p1#1"},
    )
    assert given.next_copy("p2")[1][:2] == (b"\xff\x00", {"type": "order"})


@pytest.mark.parametrize("message", ["m1", "p1", "p2"])
def test_dead_letter_as_it_was_sent(message: str) -> None:
    """What a broker or a service adds to the headers changes nothing."""
    given = poisoned()
    found = given.dead_letter(dead(given, message, x_death="once"))
    assert (found.message, found.changed) == (message, ())


@pytest.mark.parametrize(
    ("headers", "changed"),
    [
        ({"of": "us"}, ("header of",)),
        ({"h": None, "of": None}, ("header h", "header of")),
        ({"atleastonce_copy": None}, (f"header {COPY_HEADER}",)),
    ],
)
def test_dead_letter_whose_headers_changed(headers: dict[str, str | None], changed: tuple[str, ...]) -> None:
    """Those that are missing and those of another value are named, ours among them."""
    given = poisoned()
    assert given.dead_letter(dead(given, "p1", **headers)).changed == changed


def test_dead_letter_whose_body_changed() -> None:
    """It is known by our header still, and by an id of ours where that is gone too."""
    given = poisoned()
    wrapped = dead(given, "p2")._replace(body=b'{"was": "/wA="}')
    by_id = Letter("dead", f"was {given.values['p1']['id']}".encode())
    found = [given.dead_letter(each) for each in (wrapped, by_id)]
    assert [(each.message, each.changed[1:]) for each in found] == [
        ("p2", ()),
        ("p1", (f"header {COPY_HEADER}", "header h", "header of")),
    ]
    what_was, that_was = (each.changed[0] for each in found)
    assert what_was == "body (15 bytes 7b 22 77 61 73 22 3a 20 22 2f 77 41 …, where 2 bytes ff 00 was sent)"
    assert that_was.startswith("body (40 bytes 77 61 73 20 ")


def test_dead_letter_that_lost_every_header_is_known_by_an_equal_body() -> None:
    """Bytes without an id of ours are enough; what nothing tells of belongs to nobody."""
    given = poisoned()
    found = [given.dead_letter(Letter("dead", body)) for body in (b"\xff\x00", b"\xff", None)]
    assert [(each.message, each.changed) for each in found] == [
        ("p2", (f"header {COPY_HEADER}", "header h")),
        (None, ()),
        (None, ()),
    ]


def test_dead_letter_of_an_earlier_case_is_left_out() -> None:
    """Its body may be equal to one of this case: the header of another case says that it is late."""
    names = Names()
    late = dead(poisoned(names=names, case="lane-1/case-0"), "p2")
    now = poisoned(names=names)
    own = dead(now, "p2")
    assert now.late(late)
    assert [each.message for each in dead_letters(now, (late, own))] == ["p2"]
    assert len(outputs(now, (late, own))) == 1


def test_output_of_another_lane_is_left_out() -> None:
    """A database may outlive a lane: what the service tells again belongs to the case that it was told for."""
    given: set[bytes] = set()
    elsewhere = poisoned(names=Names(given), case="lane-1/case-1")
    now = poisoned(names=Names(given), case="lane-2/case-1")
    again, own = (Letter("out", each.values["m1"]["id"].encode(), {}, {}) for each in (elsewhere, now))
    assert (now.late(again), now.late(own)) == (True, False)
    assert [each.message for each in outputs(now, (again, own))] == ["m1"]


def test_request_over_http_carries_nothing_of_ours() -> None:
    """A header that only we send could be what makes a service work."""
    given = poisoned(http="POST http://h/")
    assert given.next_copy("m1")[1].headers == {"h": given.values["m1"]["id"]}


def test_order_counts_among_those_of_one_key() -> None:
    """Each message has its key; where the input has none, all share its queue."""
    keyed = cast(key="{id}")
    assert keyed.keys() == {name: keyed.values[name]["id"] for name in ("m1", "m2", "sentinel")}
    assert {*cast().keys().values()} == {""}


def test_order_on_rabbitmq_counts_by_what_the_contract_says() -> None:
    """A key that is named, else the routing key; it is the routing key that the message is sent with."""
    routed = Input(exchange="doors", routing_key="door.{n}", message=BODY)
    for entry, expected in ((routed, "door.1"), (msgspec.structs.replace(routed, key="{n}"), "1")):
        contract = Contract(broker=BrokerTable(kind="rabbitmq"), input=entry)
        schedule = Schedule(messages={"m1": Message(body=BODY)})
        given = Cast("case-1", schedule, contract, itertools.count(1), Names())
        assert given.keys()["m1"] == expected
        assert given.next_copy("m1")[1].key == "door.1"
