"""What is expected of a case: the pace that the calm machine kept, and what the clean runs showed."""

from dataclasses import dataclass

import msgspec

from atleastonce.history import Observation


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
