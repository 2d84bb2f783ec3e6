"""The cast of a case: ids of its own going out, names instead of ids coming back."""

import itertools
import json
from typing import Any
from uuid import UUID

import pytest

from atleastonce.casting import Cast, cast_list, outputs
from atleastonce.contract import BrokerTable, Contract, Input, OutputTable
from atleastonce.history import Output
from atleastonce.relay.codec import COPY_HEADER, Names
from atleastonce.schedule import Message, Schedule
from atleastonce.transports import Letter

BODY = '{"message_id": "{message_id}", "order": "{id}", "n": {n}, "literal": "{{id}}"}'


def cast(
    case: str = "lane-1/case-1", declared: str = "", key: str | None = None, names: Names | None = None
) -> Cast:
    """Return the cast of a case of two messages."""
    contract = Contract(
        broker=BrokerTable(kind="rabbitmq"),
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
    given = cast(key="{id}")
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
    )


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


def test_address_without_an_id_is_asked_once() -> None:
    """A path that belongs to no message is observed as it is."""
    assert cast().addresses("http://h:{port}/stock?all={{id}}", {"port": "80"}) == {
        "/stock?all={{id}}": "http://h:80/stock?all={id}"
    }


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
