"""replays-identically: read again from offset zero, the report is byte-identical.

Assumes that both services had read the whole log when their reports were taken; a difference is accused only where
the canary kept its time. The first event after which they differ is the last one of the shortest prefix of the log
whose reports differ, as far as the runner looked for it. Linear in the events and the reports.
"""

import json
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from atleastonce.checks.case import Case, Unjudgeable, judged
from atleastonce.checks.signs import is_published, late_canary
from atleastonce.history import Event, History
from atleastonce.schedule import way_in_words
from atleastonce.verdict import Verdict

PROMISE = "replays-identically"
_SHOWN = 6
_LONG = 160
_NOTHING = "nothing"


class Pair(NamedTuple):
    """What both services reported of the same log."""

    first: str
    second: str

    @property
    def differs(self) -> bool:
        """Whether they are not the same, byte by byte."""
        return self.first != self.second


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a log that held events, and was read twice."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    events, schedule = case.history.events, case.history.header.schedule
    if not schedule.replays:
        raise Unjudgeable("nothing was read again", occasion=False)
    case.went_as_planned()
    copies = [event for event in events if is_published(event)]
    if not copies:
        raise Unjudgeable("the log held no events", occasion=False)
    varied = next((event for event in events if event.event == "varied"), None)
    pairs = _pairs(events)
    whole = pairs.get(len(copies))
    if varied is None or whole is None:
        raise Unjudgeable("the history does not hold both reports of the whole log")
    how = f"read again {way_in_words(schedule.replays)} ({varied.note})"
    if not whole.differs:
        reason = f"{how}, the report of {len(copies)} events is byte-identical"
        return Verdict(promise=PROMISE, outcome="kept", reason=reason)
    if (excuse := late_canary(events)) is not None:
        raise Unjudgeable(f"{excuse}; the reports differ: {'; '.join(_apart(whole))}")
    least = min(size for size, pair in pairs.items() if pair.differs)
    found = least == 1 or (least - 1 in pairs and not pairs[least - 1].differs)
    last = copies[least - 1]
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=f"{how}, the report is another one",
        evidence=(_event(case, last, least, len(copies), found=found), *_apart(pairs[least])),
        blamed=(last.message,) if last.message and found else (),
    )


def _pairs(events: tuple[Event, ...]) -> dict[int, Pair]:
    """Return what was reported, by how many publications the log held."""
    found: dict[int, dict[str, str]] = {}
    for event in events:
        if event.event == "report":
            found.setdefault(event.size, {})[event.of] = event.note
    return {size: Pair(**both) for size, both in found.items() if len(both) == len(Pair._fields)}


def _event(case: Case, last: Event, number: int, of: int, *, found: bool) -> str:
    """Name the event after which the reports differ, and what it says."""
    message = case.history.header.schedule.messages.get(last.message or "")
    said = f": {message.body}" if message and message.body else ""
    words = "first differs after" if found else "differs at the latest after"
    return _short(f"{words} event {number} of {of}, {last.copy}{said}")


def _apart(pair: Pair) -> list[str]:
    """Return where two reports differ, a line each, with both values."""
    lines = (
        _short(f"{where}: {first} first, {second} when read again") for where, first, second in _values(pair)
    )
    shown = list(islice(lines, _SHOWN))
    return shown or ["the same values are written in another form or order"]


def _values(pair: Pair) -> Iterator[tuple[str, str, str]]:
    try:
        first, second = json.loads(pair.first), json.loads(pair.second)
    except ValueError:
        lines = zip_longest(pair.first.splitlines(), pair.second.splitlines(), fillvalue=_NOTHING)
        for number, (one, other) in enumerate(lines, start=1):
            if one != other:
                yield f"line {number}", repr(one), repr(other)
        return
    left, right = dict(_leaves(first)), dict(_leaves(second))
    for path in dict.fromkeys((*left, *right)):
        if left.get(path) != right.get(path):
            yield path, left.get(path, _NOTHING), right.get(path, _NOTHING)


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Yield every value that holds no other, as JSON has it."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _leaves(each, f"{path}[{index}]")
    else:
        yield path, json.dumps(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
