"""What a case is compared with: the clean runs of its messages, and the pace that they kept."""

from dataclasses import dataclass

import msgspec

from atleastonce.history import Observation


class Pace(msgspec.Struct, frozen=True):
    """How long this run waits for what, in seconds, from a calm machine."""

    quiet: float
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
