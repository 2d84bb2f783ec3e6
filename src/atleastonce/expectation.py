"""What is expected of a case: the pace that the calm machine kept, and what the clean runs showed."""

from dataclasses import dataclass

import msgspec

from atleastonce.history import History, Observation


class Pace(msgspec.Struct, frozen=True):
    """How long things may take, in seconds.

    `quiet`: until the system is quiet again; `deadline`: the same behind a fault, as the promises say it;
    `settles`: how long a missing effect is awaited after quiet; `canary`: what the canary took on the calm
    machine.
    """

    quiet: float
    deadline: float
    settles: float
    canary: float


@dataclass(frozen=True)
class Expectation:
    """What the clean runs of one set of messages showed, and the pace they kept."""

    first: Observation
    second: Observation
    pace: Pace
    unstable: bool
    """Whether the two clean runs differ, so that nothing can be judged by them."""


def stillness(history: History) -> float:
    """Return how long after quiet a clean run still changed something, in seconds."""
    times = {event.event: event.t for event in history.events}
    return max(0.0, times.get("still", 0.0) - times.get("quiet", 0.0))


def latency(history: History) -> float:
    """Return the longest time in which a message of ours waited and none was settled, in seconds.

    A message behind many others waits for these, too: that says how many they are, not how slow the service is.
    """
    published: dict[str, float] = {}
    longest = last = 0.0
    for event in history.events:
        if event.event == "published" and event.copy:
            published[event.copy] = event.t
        elif event.settles and event.copy in published:
            longest = max(longest, event.t - max(last, published[event.copy]))
            last = event.t
    return longest
