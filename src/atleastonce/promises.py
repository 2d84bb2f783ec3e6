"""The promises by name: what each says, and the options it takes in a contract.

The sentences are the users' own words (DESIGN section 3). Which of them can be judged is the business of
`atleastonce.checks.CHECKS`; a promise without a check there is *unknown*, never kept.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from atleastonce.durations import Duration, decoded

HEALTH = "tells-health"
"""The promise whose deadline is that of the health endpoint alone; those of the others are that of quiet."""

Count = Annotated[int, msgspec.Meta(ge=1)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A promise without options."""


class PoisonSetAside(Options, frozen=True):
    """`attempts`: how often a poison message is tried at the most before it is set aside."""

    attempts: Count = 5


class Within(Options, frozen=True):
    """`within`: the deadline; default 30 s on RabbitMQ, 60 s on Kafka (above the session time-out)."""

    within: Duration | None = None


class BacksOff(Options, frozen=True):
    """The declared retries: how many `attempts`, the gaps between them, and how exact they are.

    `calls`: over HTTP, what is retried so, such as ``inventory POST /reserve``; default: every call.
    """

    attempts: Count
    schedule: tuple[Duration, ...]
    jitter: float = 0.0
    tolerance: Duration = Duration(0.05)
    calls: tuple[str, ...] = ()

    def covers(self, call: str) -> bool:
        """Tell whether a call, ``inventory POST /reserve``, is retried so: it, or what it begins with, is named."""
        return not self.calls or any(
            call == each or call.startswith((f"{each} ", f"{each}/")) for each in self.calls
        )


@dataclass(frozen=True)
class Promise:
    """One promise: when it holds, in one sentence, and its options."""

    holds_when: str
    options: type[Options] = Options


PROMISES: dict[str, Promise] = {
    "nothing-lost": Promise(
        "every confirmed input has its effect, or lies in the dead-letter queue, once the service is quiet"
    ),
    "effects-once": Promise("however often an input is delivered, its effect is that of one delivery"),
    "poison-set-aside": Promise(
        "a poison message ends in the dead-letter queue, and nothing else does", PoisonSetAside
    ),
    "backlog-drains": Promise(
        "what was accepted while the service was down takes effect after it starts", Within
    ),
    "recovers": Promise("after a cut, a broker restart or a crash the next message takes effect", Within),
    "keeps-order": Promise("per key, effects follow the order of publication"),
    "replays-identically": Promise("read again from offset zero, the report is byte-identical"),
    "accepts-honestly": Promise(
        "a 2xx answer means that the message is on the broker; "
        "after any other, or none, it may be asked again, to one effect"
    ),
    "backs-off": Promise("attempts on a failing dependency follow the schedule, then stop", BacksOff),
    HEALTH: Promise("the health endpoint is unhealthy exactly while the service cannot consume", Within),
}


def options(name: str, value: Any) -> Options:
    """Return the options of a promise as a contract makes it: ``true``, or a table of them.

    Raise KeyError for a promise that does not exist, msgspec.ValidationError for options that are wrong.
    """
    return msgspec.convert({} if value is True else value, PROMISES[name].options, dec_hook=decoded)
