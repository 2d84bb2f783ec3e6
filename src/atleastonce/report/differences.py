"""The differences that broke a promise, in the numbers and names that a person sees in the service itself.

A check compares changes (``/stock $.burger: -2, expected -1``); a person looks at the service and finds 98.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from atleastonce import effects
from atleastonce.effects import Difference
from atleastonce.history import History
from atleastonce.report.rows import counted
from atleastonce.verdict import Verdict

_MOST = 4
_NAMED = 3
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]")
_NAME = re.compile(r"<(?P<message>[^.<>]+)\.(?P<what>\w+)>")


def differences(history: History, verdict: Verdict) -> tuple[str, ...]:
    """Return the evidence of a verdict, a line each; what is too much is counted."""
    known = {each.describe(): each for each in _compared(history)}
    lines = list(_lines([(each, known.get(each)) for each in verdict.evidence], history))
    if len(lines) > _MOST:
        lines[_MOST:] = [f"and {counted(len(lines) - _MOST, 'other difference')}"]
    canaries = [event.note for event in history.events if event.event == "canary" and event.ok]
    if verdict.promise == "nothing-lost" and lines and canaries:
        lines.append(f"the machine was not too slow: our own message {canaries[-1]}")
    return tuple(lines)


def _lines(found: Sequence[tuple[str, Difference | None]], history: History) -> Iterator[str]:
    """Yield a line per difference; an address that did not change at all, though it should, is one line."""
    for address, group in groupby(found, lambda pair: _unchanged(pair[1])):
        pairs = list(group)
        if address and len(pairs) > 1:
            paths = [each.where.removeprefix(f"{address} $.") for _, each in pairs if each is not None]
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            changed = ", ".join(paths[:_NAMED]) + more
            yield _with_ids(f"{address}: no change, expected changes of {changed} (clean run)", history)
        else:
            yield from (_line(described, difference, history) for described, difference in pairs)


def _unchanged(difference: Difference | None) -> str:
    """Return the address of a difference that is the absence of a change, else nothing."""
    if difference is None or difference.found != "no change":
        return ""
    return effects.address(difference.where)


def _compared(history: History) -> tuple[Difference, ...]:
    before, clean, run = (history.observed(moment) for moment in ("before", "clean-1", "faulty"))
    if before is None or clean is None or run is None:
        return ()
    return effects.compare(clean, run, before.values, tuple(history.header.declared.get("ignore", ())))


def _line(described: str, difference: Difference | None, history: History) -> str:
    if difference is None:
        return _with_ids(described, history)
    where, found, expected = difference.where, difference.found, difference.expected
    before = _number_before(where, history)
    if before is not None and (numbers := _both(found, expected)) is not None:
        found, expected = (_plain(before + number) for number in numbers)
    where = where.replace(" $.", " ").removesuffix(" $")
    return _with_ids(f"{where}: {found}, expected {expected} (clean run){difference.hint}", history)


def _both(found: str, expected: str) -> tuple[float, float] | None:
    try:
        first, second = (0.0 if each == "no change" else float(each) for each in (found, expected))
    except ValueError:
        return None
    return first, second


def _number_before(where: str, history: History) -> float | None:
    """Return the number that stood there before the faults, or None where there was none."""
    address, _, path = where.rpartition(" $")
    before = history.observed("before")
    value: Any = before.values.get(address) if before and address else None
    for step in _STEP.finditer(path):
        key = step["key"]
        try:
            value = value[key if key is not None else int(step["index"])]
        except (KeyError, IndexError, TypeError):
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(round(number, 9))


def _with_ids(text: str, history: History) -> str:
    """Put the names that the story uses in place of ``<m1.id>``."""
    messages = history.header.schedule.messages

    def name(match: re.Match[str]) -> str:
        message = messages.get(match["message"])
        return message.id if message and message.id and match["what"] == "id" else match["message"]

    return _NAME.sub(name, text)
