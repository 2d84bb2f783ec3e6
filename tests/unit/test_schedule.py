"""A schedule: what will be done, kept in a file for people to read too."""

from pathlib import Path

import pytest

from atleastonce import schedule
from atleastonce.errors import UsageError
from atleastonce.schedule import Action, Message, Schedule, Trap, publish

WHOLE = Schedule(
    contract="sha256:12",
    seed=7,
    messages={"m1": Message(id="o1", body='{"id": "{id}"}'), "m2": Message(id="o2")},
    actions=(*publish("m1", "m2", "m1"), Action(start="inventory"), Action(stop="inventory")),
    traps=(
        Trap(when="before", event="ack", message="m1", nth=2, service="inventory", do="kill"),
        Trap(when="after", event="deliver", message="sentinel", do="cut"),
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
        "kill before ack(m1, time 2); cut after deliver(sentinel)"
    )


def test_published_messages_are_named_once() -> None:
    """A duplicate is the same message; a step is an action or a trap."""
    assert (WHOLE.published, WHOLE.steps) == (("m1", "m2"), 7)


@pytest.mark.parametrize("fields", [{}, {"publish": "m1", "start": "inventory"}])
def test_action_does_exactly_one_thing(fields: dict[str, str]) -> None:
    """An action that does nothing, or two things, is none."""
    with pytest.raises(ValueError, match="an action has exactly one of publish, start, stop"):
        Action(**fields)


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
            " is no schedule: an action has exactly one of publish, start, stop - at `$.actions[0]`; " + NAME,
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
