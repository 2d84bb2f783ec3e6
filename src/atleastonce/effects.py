"""The metamorphic oracle: what changed in a run, and how that differs from what changes in a clean run.

Nobody writes a model. Snapshots are compared as changes, so that state may be left over from earlier cases;
outputs are a set by their declared id (DESIGN section 4, rules 1 and 2). All functions are pure.
"""

import functools
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from atleastonce.history import Observation, Output

Kind = Literal["surplus", "deficit", "differs"]
Changes = dict[str, dict[str, Any]]
"""Per observed path, what changed: ``{"by": -4}`` for a number, or a text like ``"9.50"``, ``{"to": …}`` for another,
``{"gone": …}``, and ``{"added": […], "removed": […]}`` for a list whose length changed. A number or list
that was not there before, or null as a sum of no rows is, counts from nothing: so the first case on fresh state
compares with later ones."""

_MISSING = object()
_NAME = re.compile(r"<(?P<message>[^.<>]+)\.\w+>")
_DECIMAL = re.compile(r"-?\d{1,15}\.\d{1,9}")
_DIGITS = 13
_EACH = "; each counts, since no output.id tells them apart"


class Difference(msgspec.Struct, frozen=True):
    """One thing in which a run differs from the clean run."""

    kind: Kind
    where: str
    found: str
    expected: str
    message: str | None = None
    hint: str = ""

    def describe(self) -> str:
        """Say it in one line."""
        return f"{self.where}: {self.found}, expected {self.expected} (clean run){self.hint}"


# -- snapshots as changes


def changes(before: Mapping[str, Any], after: Mapping[str, Any], ignore: Iterable[str] = ()) -> Changes:
    """Return what changed between two snapshots, by path (``address $.path``)."""
    ignored = tuple(ignore)
    found: Changes = {}
    for address in sorted({*before, *after}):
        old = without(before.get(address, _MISSING), ignored)
        new = without(after.get(address, _MISSING), ignored)
        _note_changes(found, old, new, f"{address} $")
    return found


def _note_changes(found: Changes, before: Any, after: Any, path: str) -> None:
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return
    if isinstance(after, dict) and (isinstance(before, dict) or (before is _MISSING and after)):
        old = before if isinstance(before, dict) else {}
        for key in sorted({*old, *after}):
            _note_changes(found, old.get(key, _MISSING), after.get(key, _MISSING), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            _note_changes(found, old, new, f"{path}[{index}]")
    elif isinstance(after, list) and (isinstance(before, list) or before is _MISSING):
        found[path] = _list_change(before if isinstance(before, list) else [], after)
    elif (by := _by(before, after)) is not None:
        found[path] = {"by": by}
    elif after is _MISSING:
        found[path] = {"gone": before}
    else:
        found[path] = {"to": after}


def _list_change(before: list[Any], after: list[Any]) -> dict[str, Any]:
    old, new = Counter(map(canonical, before)), Counter(map(canonical, after))
    return {"added": sorted((new - old).elements()), "removed": sorted((old - new).elements())}


def _by(before: Any, after: Any) -> float | None:
    """Return by how much a number changed; None where they are not two of a kind. Money is often a decimal text."""
    nothing = before is _MISSING or before is None
    if isinstance(after, str):
        old = "0" if nothing else before
        if not (
            isinstance(old, str) and _DECIMAL.fullmatch(after) and (old == "0" or _DECIMAL.fullmatch(old))
        ):
            return None
        return _difference(float(old), float(after)) or None  # 1.5 and 1.50 are two texts
    if not _is_number(after) or not (_is_number(before) or nothing):
        return None
    return _difference(0 if nothing else before, after)


def _difference(before: float, after: float) -> float:
    """Subtract as far as the digits of a float mean something: sums of money are no exact numbers."""
    whole = len(str(int(max(abs(before), abs(after)))))
    return round(after - before, max(0, min(9, _DIGITS - whole)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_sorted = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> str:
    """Return one text for equal JSON values."""
    return _sorted.encode(value).decode()


def _texts(values: Iterable[Any]) -> list[str]:
    """Return what `canonical` does, for each value: for a million of them at once, that is quicker."""
    return _sorted.encode_lines([*values]).decode().split("\n")[:-1]


@functools.lru_cache(maxsize=4096)
def _ignored(path: str, ignore: tuple[str, ...]) -> bool:
    """Tell whether a path, or one above it, is ignored; ``[*]`` and ``[0]`` are alike.

    A run asks of the same few paths again and again.
    """
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in _steps(ignore))


@functools.lru_cache(maxsize=4096)
def _holds_ignored(path: str, ignore: tuple[str, ...]) -> bool:
    """Tell whether a path below this one is ignored; most of a value has none, and need not be copied."""
    return any(each.startswith((f"{path}.", f"{path}[")) for each in _steps(ignore))


def _steps(ignore: tuple[str, ...]) -> list[str]:
    return [re.sub(r"\[\d+\]", "[*]", each) for each in ignore]


def without(value: Any, ignore: tuple[str, ...], path: str = "$") -> Any:
    """Return a JSON value without the ignored paths; None where it is ignored as a whole."""
    if not ignore:
        return value
    if _ignored(path, ignore):
        return None
    if not _holds_ignored(path, ignore):
        return value
    if isinstance(value, dict):
        kept = {key: f"{path}.{key}" for key in value}
        return {k: without(value[k], ignore, p) for k, p in kept.items() if not _ignored(p, ignore)}
    if isinstance(value, list):
        return [without(each, ignore, f"{path}[*]") for each in value]
    return value


# -- outputs as a set


Counts = dict[tuple[str | None, str, str], int]
"""How often an output is there: by message, queue and body."""


def outputs(found: Iterable[Output], ignore: Iterable[str] = ()) -> Counts:
    """Return how often each output is there, counted once per declared id."""
    ignored, listed = tuple(ignore), [*found]
    told = [*zip(listed, _texts(without(each.body, ignored) for each in listed), strict=True)]
    # Of several with one id, the first says which message they belong to.
    once = {
        (each.queue, each.id, body): (each.message, each.queue, body)
        for each, body in reversed(told)
        if each.id is not None
    }
    others = ((each.message, each.queue, body) for each, body in told if each.id is None)
    return dict(Counter((*once.values(), *others)))


# -- comparison


def compare(
    clean: Observation, run: Observation, before: Mapping[str, Any], ignore: Iterable[str]
) -> tuple[Difference, ...]:
    """Return how a run differs from the clean run, whose `values` are changes already."""
    ignored = tuple(ignore)
    changed = changes(before, run.values, ignored)
    return (*_compare_changes(clean.values, changed), *_compare_outputs(clean, run, ignored))


def unstable(first: Observation, second: Observation, ignore: Iterable[str]) -> tuple[str, ...]:
    """Return where two clean runs differ: what is seen there depends on order or time, and proves nothing."""
    ignored = tuple(ignore)
    differing = (*_compare_changes(first.values, second.values), *_compare_outputs(first, second, ignored))
    return tuple(dict.fromkeys(difference.where for difference in differing))


def address(path: str) -> str:
    """Return the address that was observed, of a path in what it shows."""
    return path.partition(" $")[0]


def touched(clean: Observation) -> set[str | None]:
    """Return the messages whose clean effect is seen; None where something is seen that names no message."""
    named: set[str | None] = {output.message for output in clean.outputs}
    for where, change in zip(clean.values, _texts(clean.values.values()), strict=True):
        named.update(_NAME.findall(where + change) or (None,))
    return named


def _compare_changes(clean: Changes, run: Changes) -> Iterator[Difference]:
    if clean == run:  # as most are, and quickly told
        return
    for where in sorted(where for where in {*clean, *run} if clean.get(where) != run.get(where)):
        expected, found = clean.get(where), run.get(where)
        yield Difference(
            kind=_kind(expected, found),
            where=where,
            found=_words(found, expected),
            expected=_words(expected, found),
            message=_message(where, expected or {}, found or {}),
        )


def _message(where: str, expected: dict[str, Any], found: dict[str, Any]) -> str | None:
    """Return the message that a difference names: in its path, or alone in what a list has more or less."""
    if (name := _NAME.search(where)) is not None:
        return name["message"]
    wanted, got = (Counter([*each.get("added", ()), *each.get("removed", ())]) for each in (expected, found))
    odd = {match["message"] for each in (wanted - got) + (got - wanted) for match in _NAME.finditer(each)}
    return odd.pop() if len(odd) == 1 else None


def _kind(expected: dict[str, Any] | None, found: dict[str, Any] | None) -> Kind:
    if expected is None:
        return "surplus"
    if found is None:
        return "deficit"
    if "by" in expected and "by" in found and expected["by"] * found["by"] > 0:
        return "surplus" if abs(found["by"]) > abs(expected["by"]) else "deficit"
    if "added" in expected and "added" in found:
        more, less = (
            (Counter(found[k]) - Counter(expected[k]) for k in ("added", "removed")),
            (Counter(expected[k]) - Counter(found[k]) for k in ("added", "removed")),
        )
        is_more, is_less = any(map(bool, more)), any(map(bool, less))
        return "differs" if is_more and is_less else "surplus" if is_more else "deficit"
    return "differs"


def _words(change: dict[str, Any] | None, other: dict[str, Any] | None) -> str:
    if change is None:
        return "no change"
    if "by" in change:
        return f"{change['by']:+g}"
    if "to" in change:
        return canonical(change["to"])
    if "gone" in change:
        return "gone"
    sizes = {kind: len(change[kind]) for kind in ("added", "removed")}
    if other is None or {kind: len(other.get(kind, ())) for kind in sizes} != sizes:
        return ", ".join(f"{size} {kind}" for kind, size in sizes.items())
    return ", ".join(
        f"{kind} {each}"
        for kind in sizes
        for each in (Counter(change[kind]) - Counter(other[kind])).elements()
    )


def _compare_outputs(clean: Observation, run: Observation, ignore: tuple[str, ...]) -> Iterator[Difference]:
    expected, found = outputs(clean.outputs, ignore), outputs(run.outputs, ignore)
    if expected == found:
        return
    differing = {key[:2] for key in {*expected, *found} if expected.get(key) != found.get(key)}
    wanted_of, got_of = _by_place(expected, differing), _by_place(found, differing)
    told_apart = {output.queue for output in run.outputs if output.id is not None}
    for message, queue in sorted(differing, key=str):
        wanted, got = wanted_of[message, queue], got_of[message, queue]
        more, fewer = got.total() > wanted.total(), got.total() < wanted.total()
        yield Difference(
            kind="surplus" if more else "deficit" if fewer else "differs",
            where=f"outputs of {message or 'no known message'} in {queue}{_paths(wanted - got, got - wanted)}",
            found=_count(got) if more or fewer else _bodies(got - wanted),
            expected=_count(wanted) if more or fewer else _bodies(wanted - got),
            message=message,
            hint=_EACH if more and queue not in told_apart else "",
        )


def _by_place(
    counts: Counts, places: Container[tuple[str | None, str]]
) -> defaultdict[tuple[str | None, str], Counter[str]]:
    """Return how often each body is there, for the messages and queues that are asked about."""
    found: defaultdict[tuple[str | None, str], Counter[str]] = defaultdict(Counter)
    for (message, queue, body), count in counts.items():
        if (message, queue) in places:
            found[message, queue][body] = count
    return found


def _paths(wanted: Counter[str], got: Counter[str]) -> str:
    """Return where in its body one output differs from one other: `` ($.at)``; nothing for more of them."""
    if (wanted.total(), got.total()) != (1, 1):
        return ""
    (old,), (new,) = wanted, got
    found: Changes = {}
    _note_changes(found, json.loads(old), json.loads(new), "$")
    return f" ({', '.join(found)})"


def _count(bodies: Counter[str]) -> str:
    return str(bodies.total()) if bodies else "none"


def _bodies(bodies: Counter[str]) -> str:
    return " and ".join(sorted(bodies.elements()))
