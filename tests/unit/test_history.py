"""A history on disk says what the history in memory says."""

import io
from pathlib import Path

import msgspec
import pytest

from atleastonce import history_file
from atleastonce.checks import judge
from atleastonce.errors import UsageError
from atleastonce.history import Event, Header, History, Observation, Output
from atleastonce.schedule import Schedule, publish
from histories import history as told
from histories import seen

WHOLE = History(
    header=Header(
        contract="sha256:12",
        schedule=Schedule(actions=publish("m1")),
        broker="rabbitmq",
        settings={"queue_type": "quorum"},
        services=("inventory",),
        declared={"ends": ["out"]},
    ),
    events=(
        Event(event="published", t=0.5, message="m1", copy="m1#1", ok=False, note='refused: "ü"\n'),
        Event(
            event="deliver", side="broker", service="inventory", link=3, channel=1, tag=2, redelivered=True
        ),
    ),
    observations=(
        Observation(observed="before", at=0.25, values={"/stock": {"burger": 1, "deep": [None, True, 1.5]}}),
        Observation(
            observed="faulty",
            outputs=(Output(queue="out", id="a", message="m1", body={"n": 1}, headers={"h": "v"}, key="k"),),
            dead_letters=(Output(queue="dead", body="text"),),
            unreadable="GET answered 500",
        ),
    ),
)


def test_saved_history_is_read_as_it_was(tmp_path: Path) -> None:
    """What was saved comes back whole, and nothing but the file is left."""
    path = tmp_path / "histories" / "lane-1.jsonl"
    history_file.save(WHOLE, path)
    assert history_file.load(path) == WHOLE
    assert list(path.parent.iterdir()) == [path]


def test_every_event_is_one_line() -> None:
    """Header, events, observations: a line each, defaults left out."""
    lines = list(history_file.lines(WHOLE))
    assert len(lines) == 5
    assert lines[2] == (
        b'{"event":"deliver","side":"broker","service":"inventory","link":3,"channel":1,"tag":2,'
        b'"redelivered":true}\n'
    )


def test_saved_history_is_judged_alike(tmp_path: Path) -> None:
    """A verdict needs nothing but the file."""
    twice = "published m1#1; deliver m1#1; deliver m1#1 again; ack m1#1; quiet"
    live = told(twice, seen(outputs="m1:a"), seen(outputs="m1:a m1:b"))
    history_file.save(live, tmp_path / "h.jsonl")
    verdict = judge(history_file.load(tmp_path / "h.jsonl"), "effects-once")
    assert (verdict, verdict.outcome) == (judge(live, "effects-once"), "broken")


def test_observation_is_found_by_its_moment() -> None:
    """A moment that was not observed is None."""
    assert WHOLE.observed("faulty") == WHOLE.observations[1]
    assert WHOLE.observed("clean-1") is None


def test_histories_behind_each_other_are_read_one_by_one(tmp_path: Path) -> None:
    """Each with the line that it begins in; only one of them is read at a time."""
    path = tmp_path / "lane-1.jsonl"
    other = msgspec.structs.replace(WHOLE, events=())
    for each in (WHOLE, other, WHOLE):
        history_file.append(each, path)
    assert list(history_file.read(path)) == [(1, WHOLE), (6, other), (9, WHOLE)]
    begun = io.BytesIO(b"".join(path.read_bytes().splitlines(keepends=True)[:6]))
    assert next(history_file.parse(begun)) == (1, WHOLE)
    with pytest.raises(UsageError, match="holds 3 histories, one was expected"):
        history_file.load(path)


HEAD = b'{"format":1}\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"nonsense\n", "line 1: JSON is malformed: invalid character (byte 4)"),
        (b"[]\n", "line 1: Expected `object`, got `array`"),
        (
            b'{"format":1,"declared":{"ignore":' + b"[" * 100_000 + b"\n",
            "line 1: maximum recursion depth exceeded while deserializing an object",
        ),
        (b"{}\n{}\n", "line 1: it names no format, as the first line of a history does"),
        (HEAD + b"{}\n", "line 2: Object missing required field `event`"),
        (HEAD + b'{"event": "ack"}\n{"event": 3}\n', "line 3: Expected `str`, got `int` - at `$.event`"),
        (HEAD + b'{"observed":"later"}\n', "line 2: Invalid enum value 'later' - at `$.observed`"),
        (
            b'{"format": 2, "schedule": {"of another": "shape"}}\n',
            "line 1: it has format 2, this version reads format 1",
        ),
        (
            HEAD + b'{"event": "\xff"}\n',
            "line 2: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (
            HEAD + b'{"event":"ack"}\n{"event":"ac',
            "line 3: Input data was truncated, where the file ends: it may have been cut short",
        ),
        (
            HEAD + b'{"event":"ack"}\n',
            "what begins in line 1 has no observation: it was cut short",
        ),
    ],
)
def test_file_that_is_no_history(tmp_path: Path, content: bytes, said: str) -> None:
    """One sentence names the file and the line."""
    path = tmp_path / "h.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        history_file.load(path)
    expected = f"{path} is no history: {said}; name a history.jsonl that a run has saved"
    assert str(caught.value) == expected


def test_folder_is_no_history(tmp_path: Path) -> None:
    """The message says what to name instead."""
    with pytest.raises(UsageError) as caught:
        history_file.load(tmp_path)
    expected = (
        f"cannot read the history {tmp_path}: Is a directory; name a history.jsonl that a run has saved"
    )
    assert str(caught.value) == expected
