"""A history on a disk: JSON lines, of one case, or of those of one lane behind each other.

The first line is the `Header`, then comes one `Event` a line, then the `Observation` lines (CONTRACT: *A history*).
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from atleastonce.errors import UsageError
from atleastonce.history import FORMAT, Event, Header, History, Observation


class _Format(msgspec.Struct, frozen=True):
    """What every version can read of a header."""

    format: int | None = None


class _Declared(msgspec.Struct, frozen=True):
    """The shape of `Header.declared`, as far as checks rely on it."""

    ignore: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    dead_letters: str = ""
    promised: dict[str, dict[str, Any]] = {}
    keys: dict[str, str] = {}


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The shape of one value of a clean observation (`effects.Changes`); exactly one kind of change is in it."""

    by: float | msgspec.UnsetType = msgspec.UNSET
    to: Any = msgspec.UNSET
    gone: Any = msgspec.UNSET
    added: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    removed: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuse what says nothing, or two things."""
        kinds = (self.by, self.to, self.gone, self.added)
        if sum(kind is not msgspec.UNSET for kind in kinds) != 1 or (self.added is msgspec.UNSET) != (
            self.removed is msgspec.UNSET
        ):
            raise ValueError("a change is one of by, to, gone, or added with removed")


_line = msgspec.json.Encoder()
_event = msgspec.json.Decoder(Event)
_observation = msgspec.json.Decoder(Observation)
_header = msgspec.json.Decoder(Header)

_HEADER, _OBSERVATION = b'{"format"', b'{"observed"'
"""How the lines begin that are no events."""
_BLOCK = 1 << 20
"""How many bytes are read at once, up to the end of a line."""


def lines(history: History) -> Iterator[bytes]:
    """Yield a history as the lines of its file."""
    yield _line.encode(history.header) + b"\n"
    for item in (*history.events, *history.observations):
        yield _line.encode(item) + b"\n"


def save(history: History, path: Path) -> None:
    """Write a history to a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.writelines(lines(history))
    part.replace(path)


def append(history: History, path: Path) -> None:
    """Add a history to a file that holds those of one lane, one behind the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.writelines(lines(history))


def load(path: Path) -> History:
    """Read the one history of a file; raise UsageError, naming the line, where it is none, or holds several."""
    found = [history for _, history in read(path)]
    if len(found) > 1:
        raise UsageError(
            f"{path} holds {len(found)} histories, one was expected; name that of a counterexample"
        )
    return found[0]


def read(path: Path) -> Iterator[tuple[int, History]]:
    """Yield every history of a file, one at a time, with the line that it begins in.

    Raise UsageError, naming the line, for what is no history, or none any more.
    """
    try:
        with path.open("rb") as file:
            yield from parse(file)
    except OSError as exc:
        msg = f"cannot read the history {path}: {exc.strerror}; name a history.jsonl that a run has saved"
        raise UsageError(msg) from exc
    except msgspec.DecodeError as exc:
        raise UsageError(f"{path} is no history: {exc}; name a history.jsonl that a run has saved") from exc


def parse(file: IO[bytes]) -> Iterator[tuple[int, History]]:
    """Yield the histories in a file, each with the number of its first line.

    Raise msgspec.DecodeError, naming the line, where one is wrong. Takes the memory of one history at a time.
    """
    header, begun, done = None, 0, 0
    events: list[Event] = []
    observations: list[Observation] = []
    while block := file.read(_BLOCK) + file.readline():
        if header is not None and (found := _events(block)):
            events += found
            done += len(found)
            continue
        for row in io.BytesIO(block):
            done += 1
            if header is not None and row.startswith(_HEADER):
                yield begun, _whole(begun, header, events, observations)
                header, events, observations = None, [], []
            try:
                if header is None:
                    header, begun = _opened(row), done
                elif row.startswith(_OBSERVATION):
                    observations.append(_seen(row))
                else:
                    events.append(_event.decode(row))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                cut = "" if row.endswith(b"\n") else ", where the file ends: it may have been cut short"
                raise msgspec.DecodeError(f"line {done}: {exc}{cut}") from exc
    if header is None:
        raise msgspec.DecodeError("it is empty")
    yield begun, _whole(begun, header, events, observations)


def _events(block: bytes) -> list[Event]:
    """Return the events in these lines, read at once, as most are; none where any line holds something else."""
    if any(block.startswith(mark) or b"\n" + mark in block for mark in (_HEADER, _OBSERVATION)):
        return []
    try:
        found = _event.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return found if len(found) == block.count(b"\n") else []


def _opened(row: bytes) -> Header:
    """Return the header in a line: first its format is read, since another one may have another shape."""
    found = msgspec.json.decode(row, type=_Format).format
    if found is None:
        raise msgspec.DecodeError("it names no format, as the first line of a history does")
    if found != FORMAT:
        raise msgspec.DecodeError(f"it has format {found}, this version reads format {FORMAT}")
    header = _header.decode(row)
    msgspec.convert(header.declared, _Declared)
    return header


def _seen(row: bytes) -> Observation:
    """Return the observation in a line; a clean one holds changes."""
    found = _observation.decode(row)
    if found.observed in ("clean-1", "clean-2"):
        msgspec.convert(found.values, dict[str, _Change])
    return found


def _whole(
    begun: int, header: Header, events: Sequence[Event], observations: Sequence[Observation]
) -> History:
    """Return a history that is whole; whatever else went wrong, something was observed before it began."""
    if not observations:
        raise msgspec.DecodeError(f"what begins in line {begun} has no observation: it was cut short")
    return History(header=header, events=tuple(events), observations=tuple(observations))
