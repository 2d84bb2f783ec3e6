"""A schedule: what will be done, kept in a file for people to read too."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from atleastonce import schedule
from atleastonce.errors import UsageError
from atleastonce.schedule import Action, Message, Schedule, Trap, Verb, publish

WHOLE = Schedule(
    contract="sha256:12",
    seed=7,
    messages={"m1": Message(id="o1", body='{"id": "{id}"}'), "m2": Message(id="o2")},
    actions=(*publish("m1", "m2", "m1"), Action(start="inventory"), Action(stop="inventory")),
    traps=(
        Trap(when="before", event="ack", message="m1", nth=2, service="inventory", do="kill"),
        Trap(when="after", event="deliver", message="sentinel", do="cut"),
        Trap(event="write", nth=4, during="m1", do="kill"),
    ),
)


def test_saved_schedule_is_read_as_it_was(tmp_path: Path) -> None:
    """What was saved comes back whole."""
    schedule.save(WHOLE, tmp_path / "schedule.json")
    assert schedule.load(tmp_path / "schedule.json") == WHOLE


def test_schedule_in_words() -> None:
    """Actions in order, traps after them."""
    assert WHOLE.describe() == (
        "publish m1; publish m2; publish m1; start inventory; stop inventory; "
        "kill before ack(m1, time 2); cut after deliver(sentinel); kill at write 4 of m1"
    )


def test_a_long_row_of_publications_in_words() -> None:
    """Forty lines of the same kind tell nobody anything."""
    names = [f"m{n}" for n in range(1, 41)]
    row = Schedule(
        actions=(Action(stop="inventory"), *publish(*names), Action(start="inventory"), *publish("m1"))
    )
    assert row.describe() == "stop inventory; publish m1 … m40 (40 messages); start inventory; publish m1"


def test_published_messages_are_named_once() -> None:
    """A duplicate is the same message; a step is an action or a trap."""
    assert (WHOLE.published, WHOLE.steps) == (("m1", "m2"), 8)


def test_poison_is_told_from_the_innocent() -> None:
    """By the number of its kind; only what is published counts, a duplicate once."""
    messages = {"p1": Message(poison=0), "p2": Message(poison=1), "m1": Message(), "m2": Message()}
    given = Schedule(messages=messages, actions=(*publish("m1", "p2", "m1"), Action(stop="m2")))
    assert (given.poisons, given.innocents) == (("p2",), ("m1",))


def test_only_a_restart_of_the_broker_is_everybodys() -> None:
    """Whoever uses the same broker is disturbed by it, and by nothing else."""
    cut, restart = (Schedule(actions=(each,)) for each in (Action(cut="a"), Action(restart="broker")))
    assert (cut.restarts_broker, restart.restarts_broker) == (False, True)


@pytest.mark.parametrize("verb", get_args(Verb))
def test_action_has_one_verb_and_its_target(verb: str) -> None:
    """Whatever the verb, an action says it in words."""
    target = {"restart": "broker", "wait": "2s"}.get(verb, "x")
    action = msgspec.convert({verb: target}, Action)
    assert (action.verb, action.target, action.describe()) == (verb, target, f"{verb} {target}")


def test_action_waits_for_a_duration() -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(ValueError, match="soon"):
        Action(wait="soon")


@pytest.mark.parametrize(
    ("name", "service", "is_of"),
    [
        ("inventory", "inventory", True),
        ("inventory-2", "inventory", True),
        ("inventory-12", "inventory", True),
        ("inventory-2", "inventory-2", True),
        ("inventory", "inventory-2", False),
        ("inventory-x", "inventory", False),
        ("inventory-", "inventory", False),
        ("inventory-2", "invent", False),
        ("", "", True),
    ],
)
def test_instance_belongs_to_its_service(name: str, service: str, is_of: bool) -> None:
    """A service's name stands for every instance of it, an instance's name for itself alone."""
    assert schedule.is_of(name, service) is is_of


def test_instances_are_numbered_where_there_are_several() -> None:
    """The only one is called like the service."""
    names = [schedule.instance("mail", number, of) for number, of in ((1, 1), (1, 2), (2, 2))]
    assert names == ["mail", "mail-1", "mail-2"]


@pytest.mark.parametrize("fields", [{}, {"publish": "m1", "start": "inventory"}])
def test_action_does_exactly_one_thing(fields: dict[str, Any]) -> None:
    """An action that does nothing, or two things, is none."""
    with pytest.raises(ValueError, match="an action has exactly one of publish, burst, start, stop"):
        Action(**fields)


VERBS = (
    "publish, burst, start, stop, cut, isolate, mend, restart, unroute, reroute, wait, replay, rewind, forget, "
    "abort, rebalance"
)
NAME = "name a schedule.json that a run has saved"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", f" is no schedule: Input data was truncated; {NAME}"),
        ("\x00", f" is no schedule: JSON is malformed: invalid character (byte 0); {NAME}"),
        ("[]", f" is no schedule: Expected `object`, got `array`; {NAME}"),
        ('{"seed": "x"}', f" is no schedule: Expected `int`, got `str` - at `$.seed`; {NAME}"),
        ('{"sed": 1}', f" is no schedule: Object contains unknown field `sed`; {NAME}"),
        (
            '{"actions": [{}]}',
            f" is no schedule: an action has exactly one of {VERBS} - at `$.actions[0]`; {NAME}",
        ),
        (
            '{"actions": [{"restart": "inventory"}]}',
            f" is no schedule: Invalid enum value 'inventory' - at `$.actions[0].restart`; {NAME}",
        ),
        ('{"format": 2}', ": it has format 2, this version reads format 1"),
        (
            '{"actions": [{"publish": "m2"}], "messages": {"m1": {}}}',
            ": it names messages that it does not define: m2",
        ),
        (
            '{"traps": [{"when": "before", "event": "akc", "message": "sentinel", "do": "kill"}]}',
            ": there is no event 'akc' to wait for; there is ack",
        ),
        (
            '{"traps": [{"when": "before", "event": "ack", "message": "m1", "nth": 0, "do": "kill"}]}',
            f" is no schedule: Expected `int` >= 1 - at `$.traps[0].nth`; {NAME}",
        ),
    ],
)
def test_file_that_is_no_schedule(tmp_path: Path, text: str, said: str) -> None:
    """One sentence names the file and the key."""
    path = tmp_path / "schedule.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        schedule.load(path)
    assert str(caught.value) == f"{path}{said}"


def test_file_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no text are no schedule either."""
    path = tmp_path / "schedule.json"
    path.write_bytes(b'{"contract": "\xff"}')
    with pytest.raises(UsageError, match=r"schedule\.json is no schedule: 'utf-8' codec"):
        schedule.load(path)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """The message says what to name instead."""
    path = tmp_path / "schedule.json"
    with pytest.raises(UsageError) as caught:
        schedule.load(path)
    assert str(caught.value) == f"cannot read the schedule {path}: No such file or directory; {NAME}"


def test_a_write_point_in_its_file() -> None:
    """It names the message during which it strikes, in place of when and message."""
    point = Trap(event="write", nth=4, during="m1", do="kill")
    assert msgspec.json.encode(point) == b'{"event":"write","during":"m1","do":"kill","nth":4}'


@pytest.mark.parametrize(
    "trap",
    [
        {"event": "write", "do": "kill"},
        {"event": "write", "during": "m1", "message": "m1", "do": "kill"},
        {"event": "write", "during": "m1", "when": "before", "do": "kill"},
        {"event": "ack", "during": "m1", "do": "kill"},
        {"event": "ack", "message": "m1", "do": "kill"},
        {"event": "ack", "when": "before", "do": "kill"},
    ],
)
def test_a_trap_names_all_that_it_waits_for_and_no_more(trap: dict[str, str]) -> None:
    """Half a trap, and half of each kind, are refused where they are read."""
    with pytest.raises(msgspec.ValidationError, match="a trap names"):
        msgspec.convert(trap, Trap)


def test_a_trap_that_strikes_later() -> None:
    """After an event only, and by a fault that needs nothing to pass; a poison or not, it may miss."""
    late = Trap(when="after", event="deliver", message="m1", do="kill", later="40ms")
    assert (late.describe(), late.delay) == ("kill 40ms after deliver(m1)", 0.04)
    assert b"later" not in msgspec.json.encode(msgspec.structs.replace(late, later=""))
    assert Schedule().may_miss(late)
    for wrong in ({"when": "before"}, {"do": "time-out"}, {"later": "soon"}, {"later": "0s"}):
        with pytest.raises(msgspec.ValidationError, match=r"strike later|no duration"):
            msgspec.convert(msgspec.to_builtins(late) | wrong, Trap)


def test_a_service_is_paused_at_write_points_alone() -> None:
    """Nothing else stops it where it may go on."""
    assert Trap(event="write", nth=2, during="m1", do="pause").describe() == "pause at write 2 of m1"
    with pytest.raises(ValueError, match="paused at a write point only"):
        Trap(when="after", event="deliver", message="m1", do="pause")
