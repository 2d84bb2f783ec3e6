"""What is expected of a case: the pace that the calm machine kept, and what the clean runs showed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from atleastonce.history import History, Observation
from atleastonce.promises import HEALTH, Options, Within

_LINES = 10
"""How many deadlines of quiet may pass while ever fewer messages are open: five minutes on RabbitMQ."""


class Pace(msgspec.Struct, frozen=True):
    """How long things may take, in seconds.

    `quiet`: until the system is quiet again, or has settled another message; `deadline`: the same behind a fault,
    and where the contract has `named` it, until quiet whatever was settled meanwhile;
    `health`: until the health endpoint tells of a change;
    `settles`: how long a missing effect is awaited after quiet, and `missing`, where that is longer; `canary`: what
    the canary took on the calm machine.
    """

    quiet: float
    deadline: float
    health: float
    settles: float
    canary: float
    named: bool = False
    missing: float = 0.0

    @property
    def patience(self) -> float:
        """How long a missing effect is awaited after quiet."""
        return max(self.settles, self.missing)


def paced(promised: Mapping[str, Options], *, quiet: float, settles: float, canary: float) -> Pace:
    """Return the pace of a contract with these promises: quiet is awaited for the shortest named for it."""
    named = {
        name: float(each.within)
        for name, each in promised.items()
        if isinstance(each, Within) and each.within
    }
    health = named.pop(HEALTH, None)
    deadline = min(named.values(), default=quiet)
    return Pace(
        quiet=quiet,
        deadline=deadline,
        health=deadline if health is None else health,
        settles=settles,
        canary=canary,
        named=bool(named),
    )


class Patience:
    """Tells whether quiet is awaited once more: while ever fewer messages are open, or the canary is late, too.

    How long a line of messages takes says how long it is. `steady` says that only the canary counts.
    """

    def __init__(self, left: int, *, steady: bool = False, times: int = 3) -> None:
        self._left = left
        self._steady = steady
        self._times = times
        self._lines = _LINES

    def more(self, left: int, in_time: Callable[[], bool]) -> bool:
        """Tell whether to wait on, with `left` messages open; `in_time` asks the canary."""
        fewer, self._left = left < self._left, min(left, self._left)
        self._lines -= fewer
        if fewer and not self._steady and self._lines > 0:
            return True
        self._times -= 1
        return not in_time() and self._times > 0


@dataclass(frozen=True)
class Expectation:
    """What the clean runs of one set of messages showed, and the pace they kept."""

    first: Observation
    second: Observation
    pace: Pace
    restless: str
    """Where the two clean runs differ, so that nothing can be judged by them; empty where they do not."""


class Calm(NamedTuple):
    """The clean runs that a campaign begins with."""

    first: History
    second: History
    restless: str
    """Where they differ (`Expectation.restless`)."""
    unmoved: tuple[str, ...]
    """What is observed and neither of them changed."""


def stillness(history: History) -> float:
    """Return how long after quiet a clean run still changed something, in seconds."""
    times = {event.event: event.t for event in history.events}
    return max(0.0, times.get("still", 0.0) - times.get("quiet", 0.0))


def latency(history: History) -> float:
    """Return the longest time in which a message of ours waited and none was settled, in seconds.

    A message behind many others waits for these, too: that says how many they are, not how slow the service is.
    One that was settled by observation waited for our own patience most of the time.
    """
    published: dict[str, float] = {}
    longest = last = 0.0
    for event in history.events:
        if event.event == "published" and event.copy:
            published[event.copy] = event.t
        elif event.settles and event.event != "seen" and event.copy in published:
            longest = max(longest, event.t - max(last, published[event.copy]))
            last = event.t
    return longest
