"""A story: a history retold for a person, as data that the terminal, the charts and the page all draw."""

from dataclasses import dataclass
from typing import Literal

from atleastonce.findings import Curve

Lane = Literal["runner", "broker", "service", "callee"]
Kind = Literal["step", "again", "fault", "gap"]


@dataclass(frozen=True)
class Step:
    """One line of a story, and one arrow of its chart.

    `what` went from `source` to `target`; `remark` says more, `mark` why it matters. One more copy of a
    message (`again`) and a `fault` have the rule that allows them as their remark; `lost` is what the fault
    prevented. A `gap` stands for steps that are left out. `service` says which one the lane ``service`` is, `to`
    which one the lane ``callee``: the service that it asks over HTTP.
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
    service: str = ""
    to: str = ""


@dataclass(frozen=True)
class Story:
    """One schedule as it went, and what that means for one promise.

    `services` are those that take part, where there are several; `curves` show what waited meanwhile.
    """

    promise: str
    service: str
    broker: str
    headline: str
    steps: tuple[Step, ...]
    differences: tuple[str, ...]
    reason: str
    services: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def participants(self) -> tuple[str, ...]:
        """The services, each of which has a lane of its own in a chart."""
        return self.services or (self.service,)

    def lane(self, step: Step, end: Lane) -> str:
        """Return a name for the lane on which one end of a step lies: ``service2`` is the second service."""
        if end not in {"service", "callee"}:
            return end
        name = step.to if end == "callee" else step.service
        number = self.services.index(name) + 1 if name in self.services else 1
        return f"service{number}" if number > 1 else "service"

    @property
    def has_broker(self) -> bool:
        """Whether a broker takes part."""
        return self.broker != "http"
