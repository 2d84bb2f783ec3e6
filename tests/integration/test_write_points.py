"""Write points: a fault between two writes is found for sure, in any language, and a correct service is left alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hearing import Heard
from slices import sliced

from atleastonce.campaign import Plan
from atleastonce.commands import reference
from atleastonce.history import History
from atleastonce.subjects import tracing
from campus_food.mutants import MUTANTS
from campus_food.rabbitmq import topology

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(300)]

SUBJECTS = Path(__file__).parent / "subjects"
CONTRACT = """
[service]
command = "{command}"
env = {{ AMQP_URL = "{{amqp_url}}", DATA_DIR = "{{data_dir}}", CAREFUL = "{careful}" }}
ready_within = "30s"
[broker]
kind = "rabbitmq"
[input]
queue = "in"
message = '{{"id": "{{id}}"}}'
[observe]
command = "{python} {script} show {{data_dir}} {{id}}"
[promises]
effects-once = true
nothing-lost = true
"""
LANGUAGES = ("python", "node", "go", "java")
WRITES = Plan(explore=("writes",), messages=1, confirm=1, shrink_budget=10, recovery=0)


def tool(name: str) -> str:
    """Return a tool of another language; skip where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; install it to try services in its language")
    return found


def built(folder: Path, *words: str) -> None:
    """Run a build in a folder; skip where it cannot reach what it needs."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(words)} failed: {(done.stdout + done.stderr)[-300:]}")


def command(language: str, folder: Path) -> str:
    """Return the command of the service in a language, built in a folder."""
    if language == "python":
        return f"{sys.executable} {SUBJECTS / 'ledger.py'}"
    here = Path(shutil.copytree(SUBJECTS / f"ledger-{language}", folder / language))
    if language == "node":
        built(here, tool("npm"), "install", "--no-audit", "--no-fund")
        return f"{tool('node')} {here / 'ledger.mjs'}"
    if language == "go":
        built(here, tool("go"), "mod", "tidy")
        built(here, tool("go"), "build", "-o", "ledger", ".")
        return str(here / "ledger")
    built(here, tool("mvn"), "-q", "dependency:copy-dependencies", "-DoutputDirectory=libs")
    built(here, tool("javac"), "-cp", "libs/*", "-d", "classes", "Ledger.java")
    return f"{tool('java')} -cp {here}/classes:{here}/libs/* Ledger"


def point(history: History) -> tuple[int, str]:
    """Return the write point of a history: its number, and the call as it was seen."""
    (trap,) = history.header.schedule.traps
    calls = [event.note for event in history.events if event.event == "write" and event.size == trap.nth]
    return trap.nth, "".join(calls)


def sprung(history: History) -> bool:
    """Tell whether the trap of a history sprang."""
    return any(event.event == "sprung" for event in history.events)


@pytest.mark.parametrize("language", sliced(LANGUAGES, ["python"]))
def test_a_mark_before_its_effect_is_found_in_any_language(subject, tmp_path, language):
    """Careless, the message is lost between mark and effect; careful, it is kept wherever the service dies."""
    words = command(language, tmp_path)
    outcomes = {}
    for careful in ("no", "yes"):
        path = tmp_path / f"{careful}.toml"
        names = {"command": words, "python": sys.executable, "script": SUBJECTS / "ledger.py"}
        path.write_text(CONTRACT.format(careful=careful, **names))
        found = subject(path).verify(WRITES).findings
        assert found.left_out == ""
        outcomes[careful] = {name: tally.outcome for name, tally in found.tallies.items()}
        assert found.tallies["effects-once"].broken + found.tallies["effects-once"].unknown == 0, (
            found.tallies
        )
        if careful == "no":
            example = found.counterexample("nothing-lost")
            assert example is not None, found.tallies
            assert point(example.judged.history)[1].endswith((".draft)", ".kept)"))
    assert outcomes == {
        "no": {"effects-once": "kept", "nothing-lost": "broken"},
        "yes": {"effects-once": "kept", "nothing-lost": "kept"},
    }


@pytest.mark.parametrize(
    "mutant", sliced(("mark-before-effect", "mark-after-effect", "ghost-event"), ["ghost-event"])
)
def test_every_walk_of_a_mutant_finds_the_same_points(subject, tmp_path, walks, mutant):
    """The same calls, in each walk, lead to the same broken promise; how many walks is for the run to say."""
    wrong = MUTANTS[mutant]
    contract = reference.contract(
        tmp_path, wrong.contract, mutant, wrong.module, wrong.instances, wrong.amended
    )
    walked = []
    for _ in range(walks):
        heard = Heard()
        subject(contract).verify(WRITES, heard)
        broken = [point(each.history) for each in heard.all if each.broke(wrong.promise)]
        walked.append(sorted(set(broken)))
    assert walked[0]
    assert walked == [walked[0]] * walks


@pytest.mark.parametrize("queue_type", sliced(topology.QUEUE_TYPES, ["quorum"]))
def test_the_reference_keeps_its_promises_at_every_write_point(subject, campus, queue_type, thorough):
    """Every point of three messages is hit, none is unknown; a run that is not thorough takes one message."""
    heard = Heard()
    plan = Plan(explore=("writes",), messages=3 if thorough else 1)
    found = subject(campus("rabbitmq", queue_type=queue_type)).verify(plan, heard).findings
    assert sum(tally.broken + tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    points = [each.history for each in heard.all if sprung(each.history)]
    assert found.tallies["nothing-lost"].kept == len(points)
    # Behind the acknowledgement, where the outbox is tidied up, nothing is delivered twice.
    assert len(points) >= found.tallies["effects-once"].kept >= 20 * plan.messages


def test_where_nothing_can_be_traced_the_rest_is_explored(subject, campus, monkeypatch):
    """It is said once, and alone it leaves every promise without an occasion."""
    monkeypatch.setattr(tracing, "problem", lambda _: "ptrace is forbidden here")
    found = subject(campus("rabbitmq")).verify(Plan(explore=("writes", "duplicates"), messages=1)).findings
    assert found.left_out == "--explore writes was left out: ptrace is forbidden here"
    tally = found.tallies["effects-once"]
    assert (found.planned, found.carried_out, tally.outcome) == (tally.kept, tally.kept, "kept")
