"""Whatever stands in a contract, a schedule or a history: it is taken, or refused in a sentence of ours."""

import contextlib
import io
import json
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atleastonce import history_file, schedule
from atleastonce.casting import cast_list
from atleastonce.checks import CHECKS
from atleastonce.commands import judge, replay
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load, parse
from atleastonce.errors import ContractError, UsageError
from atleastonce.exploration.ordering import in_turn
from atleastonce.exploration.shrinking import without_one_step
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from atleastonce.scope import refuse
from bending import BENDS, ODD, SWAPS, bent, swapped
from histories import history as told
from histories import seen

pytestmark = pytest.mark.timeout(900)

CONTRACTS = sorted(
    str(each)
    for each in resources.files("campus_food").joinpath("contracts").iterdir()
    if each.name.endswith("toml")
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give one folder for all that is tried."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def sentence(error: UsageError) -> None:
    """See that an error is a sentence, and not what another library said alone."""
    assert len(str(error)) > 10
    assert "Traceback" not in str(error)


# -- contracts


def taken(text: str) -> None:
    """Read a contract, and ask of it what a run asks first."""
    try:
        contract = parse(text)
        refuse(contract)
    except ContractError as exc:
        sentence(exc)
        return
    except UsageError as exc:
        sentence(exc)
        return
    assert set(contract.promised) <= {*CHECKS, "replays-identically"}
    assert len(cast_list(contract, 3)) == 3
    assert contract.all_services


@given(st.sampled_from(CONTRACTS), BENDS)
def test_a_contract_with_wrong_letters_is_taken_or_refused(path: str, bends) -> None:
    """Letters that are changed, left out and doubled; whole lines too."""
    taken(bent(Path(path).read_bytes(), bends).decode("utf-8", "replace"))


@given(st.sampled_from(CONTRACTS), SWAPS)
def test_a_contract_with_wrong_values_is_taken_or_refused(path: str, swaps) -> None:
    """Any value, where another one belongs; keys that are missing, and keys that there are not."""
    data = swapped(tomllib.loads(Path(path).read_text("utf-8")), swaps)
    if isinstance(data, dict):
        taken("\n".join(f"{_text(key)} = {_toml(value)}" for key, value in data.items() if value is not None))


def _toml(value: Any) -> str:
    """Return a JSON value as TOML writes it; it has no null."""
    match value:
        case dict():
            inner = (f"{_text(key)} = {_toml(each)}" for key, each in value.items() if each is not None)
            return "{" + ", ".join(inner) + "}"
        case list():
            return "[" + ", ".join(_toml(each) for each in value if each is not None) + "]"
        case str():
            return _text(value)
        case _:
            return json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# -- schedules

SCHEDULE = Schedule(
    messages={"m1": Message(id="o1", body="{}"), "m2": Message(id="o2", poison=0)},
    actions=(
        *publish("m1", "m1", "m2"),
        Action(stop="inventory"),
        Action(start="inventory"),
        Action(wait="1s"),
    ),
    traps=(
        Trap(when="before", event="ack", message="m1", nth=2, service="inventory", do="kill"),
        Trap(event="write", during="m1", nth=3, do="kill"),
    ),
)
ON: ContractFile = load(Path(next(path for path in CONTRACTS if path.endswith("rabbitmq.toml"))))


def carried(path: Path) -> None:
    """Load a schedule, and ask of it what a replay asks before anything runs."""
    try:
        found = schedule.load(path)
        replay.check_planned(found, ON)
    except UsageError as exc:
        sentence(exc)
        return
    assert found.describe() == schedule.load(path).describe()
    assert all(each.steps == found.steps - 1 for each in without_one_step(found))
    assert in_turn([found], 1) == [found]


@given(SWAPS, BENDS)
def test_a_schedule_is_taken_or_refused(folder: Path, swaps, bends) -> None:
    """Wrong values, and wrong letters."""
    path = folder / "schedule.json"
    schedule.save(SCHEDULE, path)
    path.write_bytes(json.dumps(swapped(json.loads(path.read_bytes()), swaps)).encode())
    carried(path)
    path.write_bytes(bent(path.read_bytes(), bends))
    carried(path)


# -- histories

CLEAN = seen({"/stock": 7, "/r/<m1.id>": {"n": [1, "a"]}}, "m1:a m2:b sentinel:c")
SEEN = seen({"/stock": 6, "/r/<m1.id>": {"n": [1]}}, "m1:a m1:b", "p1 ? p1!body")
HAPPENED = """
published m1#1; deliver m1#1; publish m1 >out; confirm m1; sprung m1: kill before ack(m1); kill *shop; closed;
write m1 =3 *shop: fsync; sprung m1: kill at write 3 of m1; start *shop; deliver m1#1 again;
ack m1#1; published sentinel#1; deliver sentinel#1; ack sentinel#1; quiet; canary

published p1#1; deliver p1#1; requeue p1#1; deliver p1#1 again; reject p1#1; published m1#1; exit; quiet! why; canary

stop *shop; published m1#1 >in; published m2#1; depth >in =2; start *shop +1; fetch m1#1; commit m1#1;
depth >in =0; isolated *shop =1; health *shop =503; mended *shop; health *shop =200; broker-restarted; closed; quiet;
canary

asked m1#1 =0; request m1 ^depot >POST/x; response m1 ^depot =503; request m1 ^depot >POST/x; cut;
asked m1#1 =200; published m1#1; declined m2; looped m1! why; canary! late
"""
PROMISED: dict[str, Any] = {name: {} for name in CHECKS} | {
    "backs-off": {"attempts": 2, "schedule": [0.5], "jitter": 0.1, "tolerance": 0.05, "calls": []},
    "recovers": {"within": 30.0},
    "poison-set-aside": {"attempts": 2},
}
TRAPS = (
    Trap(when="before", event="ack", message="m1", service="shop", do="kill"),
    Trap(event="write", during="m1", nth=3, do="kill"),
)
HISTORIES = [
    told(
        text,
        CLEAN,
        SEEN,
        before={"/stock": 10},
        promised=PROMISED,
        keys={"m1": "k", "m2": "k"},
        between=["mid"],
        traps=TRAPS if "sprung" in text else (),
    )
    for text in HAPPENED.split("\n\n")
]


def judged(path: Path) -> None:
    """Judge a file as the command does."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            assert judge.run([path]) in (0, 1, 3)
        except UsageError as exc:
            sentence(exc)
            return
    assert "exit code" in printed.getvalue()


@given(
    st.sampled_from([HISTORIES[0], *HISTORIES]),
    st.lists(st.tuples(st.sampled_from(["header", "event", "seen"]), st.integers(0, 50), SWAPS), max_size=3),
    BENDS,
)
def test_a_history_is_judged_or_refused(folder: Path, right, swaps, bends) -> None:
    """Wrong values in its lines, lines that are missing, and wrong letters."""
    path = folder / "history.jsonl"
    rows = [json.loads(row) for row in history_file.lines(right)]
    kinds = {"header": range(1), "event": range(1, len(rows) - 4), "seen": range(len(rows) - 4, len(rows))}
    for kind, number, swap in swaps:
        at = kinds[kind][number % len(kinds[kind])]
        rows[at] = swapped(rows[at], swap)
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows), "utf-8")
    judged(path)
    path.write_bytes(bent(path.read_bytes(), bends))
    judged(path)


_ROW = st.fixed_dictionaries(
    {"event": st.sampled_from(["deliver", "ack", "quiet", "kill", "closed", "request", "response", "asked"])}
)


@given(st.lists(st.one_of(_ROW, ODD), max_size=12))
def test_any_lines_are_judged_or_refused(folder: Path, rows) -> None:
    """Behind a right header, whatever JSON it is."""
    path = folder / "history.jsonl"
    header, *_, last = history_file.lines(HISTORIES[0])
    path.write_bytes(header + b"".join(json.dumps(row).encode() + b"\n" for row in rows) + last)
    judged(path)
