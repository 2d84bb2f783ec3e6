"""What a campaign found, as data: every schedule judged, the counts per promise, the counterexamples.

`Findings` grows while its campaign goes on, which is its only writer; everything else here is frozen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atleastonce.history import History
from atleastonce.verdict import Outcome, Tally, Verdict


@dataclass(frozen=True)
class Judged:
    """One schedule that was carried out in a lane, and what its history says of each promise.

    `log` is what the service wrote until then.
    """

    history: History
    verdicts: dict[str, Verdict]
    lane: str = ""
    log: str = ""

    def broke(self, promise: str) -> bool:
        """Tell whether it broke a promise."""
        return self.verdicts[promise].outcome == "broken"


@dataclass(frozen=True)
class Counterexample:
    """A schedule that breaks a promise, as short as it could be made."""

    promise: str
    judged: Judged
    confirmed: int
    tried: int
    steps_before: int

    @property
    def log(self) -> str:
        """What the service wrote."""
        return self.judged.log

    @property
    def verdict(self) -> Verdict:
        """The verdict that it is evidence for."""
        return self.judged.verdicts[self.promise]


@dataclass
class Findings:
    """What a campaign found; `settings` are the broker's that change verdicts or speed."""

    service: str
    broker: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    counterexamples: list[Counterexample] = field(default_factory=list)
    planned: int = 0
    carried_out: int = 0
    seconds: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """Broken if any promise is; else unknown if any is, or none was judged; else kept."""
        outcomes = {each.outcome for each in self.tallies.values()} or {"unknown"}
        return "broken" if "broken" in outcomes else "unknown" if "unknown" in outcomes else "kept"

    def counterexample(self, promise: str) -> Counterexample | None:
        """Return the counterexample to a promise, or None."""
        return next((each for each in self.counterexamples if each.promise == promise), None)
