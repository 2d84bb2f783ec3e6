"""Replays: a log of varied events, some of them twice, read once more in every way that may not matter."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.crowd import crowd
from atleastonce.history import History
from atleastonce.schedule import VARIATIONS, Action, Schedule, publish

_EVENTS = 12
_AGAIN = 3
"""Every third event comes twice: one copy at its time, the other behind all events."""
_STEP = timedelta(seconds=41)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_AMOUNT = re.compile(r"(?<=[:\[,])(\s*)(\d{1,7})\.(\d{1,6})(?=\s*[,}\]])")
_SEEDS = {"PYTHONHASHSEED": tuple("1234")}
"""Other values that are tried, of what has many: with one, a set of three is in the same order once in a while."""
_ACROSS = ("partitions",)
"""The variations that need several partitions."""


def replays(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield one log, read once more in each way, where the contract promises the same report."""
    if "replays-identically" not in contract.promised or contract.replay is None:
        return
    given = calm.header.schedule
    messages = {
        name: msgspec.structs.replace(message, body=_varied(message.body, number))
        for number, (name, message) in enumerate(crowd(given, _EVENTS).items())
    }
    log = publish(*messages, *[*messages][::_AGAIN])
    topic = contract.topics.get(contract.input.topic)
    several = topic is not None and topic.partitions > 1
    left_out = contract.replay.without if several else (*contract.replay.without, *_ACROSS)
    ways = [way for way in VARIATIONS if way not in left_out]
    for name in contract.replay.vary:
        ways += [f"env:{name}={seed}" for seed in _SEEDS.get(name, ())] or [f"env:{name}"]
    for way in ways:
        yield msgspec.structs.replace(given, messages=messages, actions=(*log, Action(replay=way)), traps=())


def _varied(body: str, number: int) -> str:
    """Return a message with other times, some of them going back, and other amounts; whole numbers stay as they are.

    What is then no longer valid is still the same in both readings.
    """
    ahead = _STEP * (number if number % 4 else -number)

    def time(match: re.Match[str]) -> str:
        try:
            return (datetime.fromisoformat(match.group()) + ahead).isoformat()
        except ValueError:
            return match.group()

    def amount(match: re.Match[str]) -> str:
        space, whole, part = match.groups()
        return f"{space}{int(whole) + number}.{part}{number}"

    return _AMOUNT.sub(amount, _TIME.sub(time, body))
