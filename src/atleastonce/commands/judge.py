"""``atleastonce judge`` judges saved histories again, with nothing running."""

import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from atleastonce.commands.verify import EXIT_CODES
from atleastonce.conversion import near
from atleastonce.durations import Duration
from atleastonce.errors import UsageError
from atleastonce.faults import RULES
from atleastonce.history import History
from atleastonce.history_file import read
from atleastonce.promises import PROMISES
from atleastonce.rejudging import Failure, Rejudged, rejudged
from atleastonce.report import terminal
from atleastonce.report.rows import counted
from atleastonce.report.story import Story
from atleastonce.report.telling import retell
from atleastonce.report.wording import broker_name

_SEVEREST_FIRST = ("broken", "unknown", "kept")


def run(files: Sequence[Path]) -> int:
    """Judge every history in these files and folders, show what they say, and return the exit code."""
    began = time.monotonic()
    paths = list(dict.fromkeys(chain.from_iterable(map(_histories, files))))
    judged = rejudged(chain.from_iterable(map(_placed, paths)))
    found = [each.findings for each in judged]
    found[0].seconds = time.monotonic() - began
    code = EXIT_CODES[min((each.outcome for each in found), key=_SEVEREST_FIRST.index)]
    console = Console(highlight=False)
    stories = [
        _story(promise, failure)
        for each, findings in zip(judged, found, strict=True)
        for promise, failure in each.failures.items()
        if findings.tallies[promise].outcome == "broken"
    ]
    terminal.show(console, found, stories)
    console.print()
    histories = sum(each.histories for each in judged)
    carried_out = f"carried out {counted(histories, 'time')} on {_brokers(judged)}"
    end = f"exit code {code}: {terminal.MEANINGS[code]}"
    said = terminal.summary(found, carried_out, end)
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    return code


def _histories(path: Path) -> list[Path]:
    """Return the files that hold the histories of a run, of a counterexample, or in a folder; a file as it is."""
    if not path.is_dir():
        return [path]
    inside = path / "histories" if (path / "histories").is_dir() else path
    one = path / "history.jsonl"
    found = [one] if one.is_file() else sorted(inside.rglob("*.jsonl"))
    if not found:
        raise UsageError(
            f"found no histories in {inside}: no file there ends with .jsonl; name a history.jsonl, or the "
            "folder of a run or of a counterexample"
        )
    return found


def _placed(path: Path) -> Iterator[tuple[str, History]]:
    """Yield the histories of a file, each with its place; raise UsageError for what cannot be judged."""
    for line, history in read(path):
        for promise, options in history.header.declared.get("promised", {}).items():
            if (problem := _problem(promise, options)) is not None:
                raise UsageError(f"{path}, line {line}: {problem}")
        yield f"{path}:{line}", history


def _problem(promise: str, options: dict[str, Any]) -> str | None:
    """Say what is wrong with a promise as a history names it, or None."""
    if promise not in PROMISES:
        return f"the history names a promise {promise!r}, which this version does not know{near(promise, PROMISES)}"
    try:
        msgspec.convert(options, PROMISES[promise].options, dec_hook=_in_seconds)
    except msgspec.ValidationError as exc:
        return f"the history names options of {promise} that this version does not know: {exc}"
    return None


def _in_seconds(_: type, value: Any) -> Duration:
    """Read a duration as a history has it: a number."""
    if not isinstance(value, int | float):
        raise ValueError(f"found {value!r}, expected seconds")  # noqa: TRY004 - msgspec names the place
    return Duration(value)


def _story(promise: str, failure: Failure) -> tuple[Story, str]:
    """Retell a failure; it can be replayed where its folder is that of a counterexample."""
    history = failure.judged.history
    remarks = (counted(failure.steps, "step"), failure.place)
    folder = Path(failure.place.rpartition(":")[0]).parent
    replay = str(folder) if (folder / "schedule.json").is_file() else ""
    return retell(history, failure.judged.verdicts[promise], RULES, remarks), replay


def _brokers(judged: Sequence[Rejudged]) -> str:
    """Say on what the histories came about: ``RabbitMQ 4.0.5 (docker)``."""
    said = []
    for header in (each.header for each in judged):
        provider = f"({header.settings['provider']})" if "provider" in header.settings else ""
        parts = (broker_name(header.broker), header.settings.get("version", ""), provider)
        said.append(" ".join(filter(None, parts)))
    return ", ".join(dict.fromkeys(said))
