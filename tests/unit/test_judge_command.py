"""``atleastonce judge`` says of saved histories what verify says, and of other files what is wrong with them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from atleastonce.cli import main
from atleastonce.history import History
from atleastonce.history_file import append, save
from atleastonce.schedule import save as save_schedule
from histories import history, seen

CLEAN = seen({"/stock": 1}, "m1:a")
TWICE = "published m1#1; deliver m1#1; closed; deliver m1#1 again; ack m1#1; quiet; canary"
KEPT, DOUBLED, UNSEEN = seen({"/stock": 1}, "m1:a"), seen({"/stock": 1}, "m1:a m1:b"), seen(unreadable="500")


def saved(faulty, promised=None, **header) -> History:
    """Return a history in which this was seen behind the faults."""
    found = history(TWICE, CLEAN, faulty, promised=promised or {"effects-once": {}})
    changed = msgspec.structs.replace(found.header, broker="rabbitmq", services=("shop",), **header)
    return msgspec.structs.replace(found, header=changed)


def called(capsys: pytest.CaptureFixture[str], *paths: Path) -> tuple[int, str]:
    """Call the command, and return its exit code and all that it said."""
    with pytest.raises(SystemExit) as ended:
        main(["judge", *map(str, paths)])
    said = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, said.out + said.err


@pytest.mark.parametrize(
    ("faulty", "code", "said"),
    [
        (KEPT, 0, "1 kept · 1 schedule · carried out 1 time on RabbitMQ · N s · exit code 0: every promise kept"),
        (DOUBLED, 1, "BROKEN effects-once · shop · 1 step · FOLDER/history.jsonl:1\n"),
        (UNSEEN, 3, ("effects-once of shop on rabbitmq is unknown: 1 of 1 schedule could not be judged: "
         "the observation after the faults failed: 500 (1 time)")),
    ],
)  # fmt: skip
def test_a_history_is_judged_as_verify_does(capsys, tmp_path, faulty, code, said) -> None:
    """The table, why what is unknown is, what broke a promise, and the exit code."""
    save(saved(faulty), tmp_path / "history.jsonl")
    ended, printed = called(capsys, tmp_path / "history.jsonl")
    assert (ended, "effects-once" in printed) == (code, True)
    assert said in re.sub(r"\d\.\d s", "N s", printed.replace(str(tmp_path), "FOLDER"))


def test_a_folder_is_that_of_a_run_or_of_a_counterexample(capsys, tmp_path) -> None:
    """A run's histories are those under histories/; what is in its counterexamples lies there too."""
    run, example = tmp_path / "run", tmp_path / "run/counterexamples/1"
    append(saved(KEPT), run / "histories/lane-1.jsonl")
    append(saved(DOUBLED, seed=1), run / "histories/shop/lane-2.jsonl")
    save(saved(DOUBLED), example / "history.jsonl")
    save_schedule(saved(DOUBLED).header.schedule, example / "schedule.json")
    ended, printed = called(capsys, run)
    assert (ended, "1 schedule · carried out 2 times on RabbitMQ" in printed) == (1, True)
    assert f"replay: atleastonce replay {example}" in called(capsys, example)[1]
    assert "carried out 3 times" in called(capsys, run, example / "history.jsonl", run / "histories")[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "x.jsonl is no history: it is empty; name a history.jsonl that a run has saved"),
        (b"\x89PNG\r\n", "x.jsonl is no history: line 1: JSON is malformed"),
        (b'[{"service": "shop"}]\n', "x.jsonl is no history: line 1: Expected `object`, got `array`"),
        (b'{"format":1,"messages":{}}\n', "x.jsonl is no history: what begins in line 1 has no observation"),
        (b'{"format":7}\n', "line 1: it has format 7, this version reads format 1"),
        (b'{"format":1,"declared":{"keys":7}}\n', "line 1: Expected `object`, got `int` - at `$.keys`"),
        (
            b'{"format":1}\n{"observed":"clean-1","values":{"/stock $":{"by":1,"to":2}}}\n',
            "line 2: a change is one of by, to, gone, or added with removed - at `$[...]`",
        ),
        (
            b'{"format":1}\n{"event":"ack","t":0.1}\n{"event":"a',
            "line 3: Input data was truncated, where the",
        ),
        (
            b'{"format":1,"declared":{"promised":{"nothing-lots":{}}}}\n{"observed":"before"}\n',
            (
                "x.jsonl, line 1: the history names a promise 'nothing-lots', which this version does not know; "
                'did you mean "nothing-lost"?'
            ),
        ),
        (
            b'{"format":1,"declared":{"promised":{"recovers":{"within":"soon"}}}}\n{"observed":"before"}\n',
            (
                "x.jsonl, line 1: the history names options of recovers that this version does not know: "
                "found 'soon', expected seconds - at `$.within`"
            ),
        ),
    ],
)
def test_what_is_no_history_is_one_sentence(capsys, tmp_path, content, said) -> None:
    """It names the file and the line, exit code 2."""
    (tmp_path / "x.jsonl").write_bytes(content)
    ended, printed = called(capsys, tmp_path / "x.jsonl")
    assert (ended, printed.count("\n")) == (2, 1)
    assert said in printed


def test_what_is_not_there_is_one_sentence(capsys, tmp_path) -> None:
    """A file, and a folder without histories."""
    assert called(capsys, tmp_path / "no.jsonl") == (
        2,
        (
            f"atleastonce: cannot read the history {tmp_path}/no.jsonl: No such file or directory; "
            "name a history.jsonl that a run has saved\n"
        ),
    )
    assert called(capsys, tmp_path) == (
        2,
        (
            f"atleastonce: found no histories in {tmp_path}: no file there ends with .jsonl; name a history.jsonl, "
            "or the folder of a run or of a counterexample\n"
        ),
    )


def test_nothing_is_left_in_the_current_folder(tmp_path) -> None:
    """Not by a library of ours either: Hypothesis keeps tables where it is imported from."""
    save(saved(KEPT), tmp_path / "history.jsonl")
    script = "from atleastonce.cli import main\ntry: main()\nfinally: import atleastonce.relay.kafka"
    environment = {
        name: value for name, value in os.environ.items() if name != "HYPOTHESIS_STORAGE_DIRECTORY"
    }
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    subprocess.run(
        [sys.executable, "-c", script, "judge", "history.jsonl"], cwd=tmp_path, env=environment, check=True
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cache", "history.jsonl"]
