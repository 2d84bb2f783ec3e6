"""Writes the report folder (CONTRACT: *The report folder*); the histories are written during the run.

Every file is there whole or not at all. The page comes last: where it is, everything that it links to is.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import msgspec
from msgspec.structs import replace

from atleastonce import history_file, schedule
from atleastonce.findings import Counterexample, Findings
from atleastonce.report import junit, markdown
from atleastonce.report.page import page
from atleastonce.report.rows import numbered, rows
from atleastonce.report.telling import of_counterexample

_TEST = '''"""Fails as long as `{promise}` is broken as ``sequence.md`` beside this file shows."""

import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_{name}() -> None:
    """Carry the schedule out again: 0 is fixed, 1 still broken, 3 inconclusive."""
    installed = importlib.util.find_spec("atleastonce") is not None
    program = [sys.executable, "-m", "atleastonce"] if installed else ["atleastonce"]
    done = subprocess.run([*program, "replay", str(HERE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
'''


def default_folder(when: datetime, within: Path = Path(".atleastonce")) -> Path:
    """Return a folder that is not there yet, named after a time: ``.atleastonce/2026-11-22T14-03-11``."""
    name = when.strftime("%Y-%m-%dT%H-%M-%S")
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(within / each for each in names if not (within / each).exists())


def write(folder: Path, found: Sequence[Findings], rules: Mapping[str, str], when: datetime) -> None:
    """Write everything but the histories; `rules` says for each fault which rule of the broker allows it.

    Raises OSError where the folder cannot be written.
    """
    home = str(folder)
    for place, _, counterexample in numbered(found):
        _write_counterexample(folder / place, counterexample, rules)
    for name, text in _files(found, rules, when, home):
        write_text(folder / name, text)


def _files(
    found: Sequence[Findings], rules: Mapping[str, str], when: datetime, home: str
) -> Iterator[tuple[str, str]]:
    verdicts = msgspec.json.encode([row.as_json() for row in rows(found)])
    yield "verdicts.json", msgspec.json.format(verdicts, indent=2).decode() + "\n"
    yield "junit.xml", junit.report(found, rules, when, home)
    yield "report.md", markdown.report(found, rules, home)
    yield "report.html", page(found, rules, when, home)


def _write_counterexample(folder: Path, found: Counterexample, rules: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = found.judged.history
    header = replace(told.header, confirmed=(found.confirmed, found.tried))
    history_file.save(replace(told, header=header), folder / "history.jsonl")
    write_text(folder / "service.log", found.log)
    chart = markdown.sequence(of_counterexample(found, rules), str(folder))
    write_text(folder / "sequence.md", f"# {found.promise} is broken\n\n{chart}\n")
    name = found.promise.replace("-", "_")
    write_text(folder / "test_counterexample.py", _TEST.format(promise=found.promise, name=name))
    part = folder / "schedule.json.part"
    schedule.save(told.header.schedule, part)
    part.replace(folder / "schedule.json")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    # Half of a surrogate pair, which a service may well log, must not cost the user the report.
    part.write_text(text, encoding="utf-8", errors="backslashreplace")
    part.replace(path)
