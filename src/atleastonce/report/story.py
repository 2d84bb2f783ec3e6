"""A story: a history retold for a person, as data that the terminal, the charts and the page all draw."""

from dataclasses import dataclass
from typing import Literal

Lane = Literal["runner", "broker", "service"]
Kind = Literal["step", "again", "fault", "gap"]


@dataclass(frozen=True)
class Step:
    """One line of a story, and one arrow of its chart.

    `what` went from `source` to `target`; `remark` says more, `mark` why it matters. One more copy of a
    message (`again`) and a `fault` have the rule that allows them as their remark; `lost` is what the fault
    prevented. A `gap` stands for steps that are left out.
    """

    verb: str
    what: str = ""
    source: Lane = "service"
    target: Lane = "broker"
    remark: str = ""
    mark: str = ""
    kind: Kind = "step"
    lost: str = ""
    t: float = 0.0


@dataclass(frozen=True)
class Story:
    """One schedule as it went, and what that means for one promise."""

    promise: str
    service: str
    broker: str
    headline: str
    steps: tuple[Step, ...]
    differences: tuple[str, ...]
    reason: str
