"""Faults that a request asks for in its query: obeyed with FAULT_INJECTION=1, refused without."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from campus_food.injection import SETTING
from campus_food.messages import BadMessage
from campus_food.settings import duration

DELAY = "delay"
FAIL = "fail"
FAIL_TIMES = "fail_times"
NAMES = (DELAY, FAIL, FAIL_TIMES)

LONGEST_DELAY = 3600
STATUSES = range(400, 600)
MOST_TIMES = 1_000_000
USUAL = 500


class Forbidden(Exception):  # noqa: N818 - it names what the fault is
    """The request asks for a fault, and this process carries none out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a service shall do instead of its work, or before it; nothing by default.

    It waits `delay` seconds, and then, where `fail` is a status, answers with that: always, or to the first
    `fail_times` requests under an idempotency key.
    """

    delay: float = 0.0
    fail: int = 0
    fail_times: int = 0
    query: str = ""

    def fails(self, times: int) -> bool:
        """Tell whether the request fails that is the `times`-th one under its key."""
        return self.fail != 0 and (self.fail_times == 0 or times <= self.fail_times)


def read(
    asked: Iterable[tuple[str, str]], *, permitted: bool, prefixes: Sequence[str] = ("",)
) -> Mapping[str, Wanted]:
    """Read a query: for each prefix of its names, what is wanted there.

    Raises `Forbidden`, or `BadMessage` where a name is unknown, comes twice or has a wrong value: to ignore
    that would hide a mistake.
    """
    known = [prefix + name for prefix in prefixes for name in NAMES]
    given: dict[str, str] = {}
    for name, text in asked:
        if name not in known:
            raise BadMessage(name, f"unknown query parameter; known are: {', '.join(known) or 'none'}")
        if name in given:
            raise BadMessage(name, "expected once in the query, found twice")
        given[name] = text
    if given and not permitted:
        raise Forbidden(f"{', '.join(given)}: faults are injected with {SETTING}=1 only, which is not set")
    return {prefix: _wanted(given, prefix) for prefix in prefixes}


def _wanted(given: Mapping[str, str], prefix: str) -> Wanted:
    own = {name: given[prefix + name] for name in NAMES if prefix + name in given}
    delay = _delay(prefix + DELAY, own.get(DELAY, "0"))
    fail_times = _whole(prefix + FAIL_TIMES, own.get(FAIL_TIMES), range(1, MOST_TIMES + 1), 0)
    fail = _whole(prefix + FAIL, own.get(FAIL), STATUSES, USUAL if fail_times else 0)
    return Wanted(delay, fail, fail_times, urlencode(own))


def _delay(name: str, text: str) -> float:
    try:
        return duration(text, LONGEST_DELAY)
    except ValueError as error:
        raise BadMessage(name, str(error)) from error


def _whole(name: str, text: str | None, allowed: range, default: int) -> int:
    if text is None:
        return default
    # Plain digits, and few: `int` also takes blanks, signs and the digits of other scripts.
    plain = text.isascii() and text.isdecimal() and len(text) <= len(str(allowed[-1]))
    if not plain or int(text) not in allowed:
        raise BadMessage(
            name, f"expected a whole number from {allowed[0]} to {allowed[-1]}, found {ascii(text)[:40]}"
        )
    return int(text)
