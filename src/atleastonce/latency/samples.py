"""Samples, one for each request, and attempts that services saw; written to CSV and read from it."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from atleastonce.conversion import shown, text_of
from atleastonce.errors import SamplesError

COLUMNS = ("scenario", "request", "seconds", "status")
_STATUSES = range(100, 600)
_MOST = 1_000_000
"""So many samples are read at the most: a file that is larger is no list of latencies made by hand or by us."""


class Sample(msgspec.Struct, frozen=True):
    """One request: how long it took from its sending to the last byte of the answer; status 0 is no answer."""

    scenario: str
    request: int
    seconds: float
    status: int


class Attempt(msgspec.Struct, frozen=True):
    """One attempt that a service saw; its times are seconds since the request was sent, where they are known."""

    began: float | None = None
    ended: float | None = None
    status: int | None = None

    @property
    def timed(self) -> bool:
        """Whether it is known when it began and ended."""
        return self.began is not None and self.ended is not None


class Attempts(msgspec.Struct, frozen=True):
    """What a service saw of one request; `problem` says why nothing is known."""

    scenario: str
    request: int
    service: str
    count: int = 0
    seen: tuple[Attempt, ...] = ()
    problem: str = ""


class Measured(msgspec.Struct, frozen=True):
    """All that was measured, or given.

    `watched` are the services whose attempts were looked at; `late` tells for each scenario how late this machine
    woke threads meanwhile, in seconds, where somebody looked.
    """

    samples: tuple[Sample, ...]
    attempts: tuple[Attempts, ...] = ()
    watched: tuple[str, ...] = ()
    late: dict[str, float] = {}

    def of(self, scenario: str) -> list[Sample]:
        """Return the samples of a scenario."""
        return [sample for sample in self.samples if sample.scenario == scenario]

    @property
    def scenarios(self) -> list[str]:
        """The scenarios that have samples, in the order of their first one."""
        return list(dict.fromkeys(sample.scenario for sample in self.samples))

    def attempts_of(self, scenario: str, service: str) -> list[Attempts]:
        """Return what a service saw of the requests of a scenario."""
        return [each for each in self.attempts if (each.scenario, each.service) == (scenario, service)]


def written(samples: Iterable[Sample]) -> str:
    """Return samples as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((each.scenario, each.request, f"{each.seconds:.6f}", each.status) for each in samples)
    return text.getvalue()


def read(path: Path) -> tuple[Sample, ...]:
    """Read samples that somebody measured; raise SamplesError, naming the line, where anything is wrong."""
    text = text_of(
        path, "the samples", "CSV file", SamplesError, "utf-8-sig"
    )  # spreadsheets begin with a mark
    try:
        return parsed(text)
    except SamplesError as exc:
        raise SamplesError(f"{path}: {exc}") from exc.__cause__


def parsed(text: str) -> tuple[Sample, ...]:
    """Read the text of a CSV file with the columns `COLUMNS`, in any order, and perhaps others."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    samples: list[Sample] = []
    first: dict[tuple[str, int], int] = {}
    try:
        places = _places(next(reader, []))
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            sample = _sample(row, places, reader.line_num)
            before = first.setdefault((sample.scenario, sample.request), reader.line_num)
            if before != reader.line_num:
                raise SamplesError(
                    f"line {reader.line_num}: request {sample.request} of {shown(sample.scenario)} "
                    f"was in line {before} already; expected each once"
                )
            samples.append(sample)
            if len(samples) > _MOST:
                raise SamplesError(f"found more than {_MOST} samples; judge fewer at a time")
    except csv.Error as exc:
        raise SamplesError(f"line {reader.line_num}: this is no CSV: {exc}") from exc
    return tuple(samples)


def _places(header: Sequence[str]) -> dict[str, int]:
    """Return where each column stands."""
    names = [cell.strip().lower() for cell in header]
    for column in COLUMNS:
        if names.count(column) != 1:
            found = ", ".join(names)[:120] or "nothing"
            raise SamplesError(f"line 1: found {found}; expected the columns {','.join(COLUMNS)}")
    return {column: names.index(column) for column in COLUMNS}


def _sample(row: Sequence[str], places: dict[str, int], line: int) -> Sample:
    if len(row) <= max(places.values()):
        raise SamplesError(f"line {line}: found {len(row)} cells; expected {','.join(COLUMNS)}")
    cells = {column: row[place].strip() for column, place in places.items()}
    if not cells["scenario"]:
        raise SamplesError(f"line {line}: scenario: found nothing, expected a name")
    request = _whole(cells["request"])
    if request is None or request < 1:
        raise SamplesError(_wrong(line, "request", cells, "a whole number from 1 on"))
    status = _whole(cells["status"])
    if status is None or (status and status not in _STATUSES):
        raise SamplesError(_wrong(line, "status", cells, "an HTTP status, or 0 for no answer"))
    try:
        seconds = float(cells["seconds"])
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise SamplesError(_wrong(line, "seconds", cells, "a number of seconds, like 0.125"))
    return Sample(cells["scenario"], request, seconds, status)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - no int of a megabyte


def _wrong(line: int, column: str, cells: dict[str, str], expected: str) -> str:
    return f"line {line}: {column}: found {shown(cells[column])}, expected {expected}"
