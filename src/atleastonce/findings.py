"""What a campaign found, as data: every schedule judged, the counts per promise, the counterexamples.

`Findings` grows while its campaign goes on, which is its only writer; everything else here is frozen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from atleastonce.history import History
from atleastonce.verdict import Outcome, Tally, Verdict, unknown

_OUTAGES = frozenset({"stop", "isolated"})
_MOMENTS = {"stop": "down", "start": "up", "isolated": "cut off", "mended": "mended"}


@dataclass(frozen=True)
class Judged:
    """One schedule that was carried out in a lane, and what its history says of each promise.

    `log` is what the service wrote until then.
    """

    history: History
    verdicts: dict[str, Verdict]
    lane: str = ""
    log: str = ""

    @property
    def unknown(self) -> int:
        """How many promises it gave an occasion, and said nothing of."""
        return unknown(self.verdicts.values())

    @property
    def is_hasty(self) -> bool:
        """Whether it accuses for nothing but what is missing, which may still have come."""
        seen = any(self.verdicts[promise].surplus for promise in self.broken)
        return bool(self.broken and self.history.header.in_vain) and not seen

    @property
    def broken(self) -> tuple[str, ...]:
        """The promises that it broke."""
        return tuple(filter(self.broke, self.verdicts))

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


@dataclass(frozen=True)
class Curve:
    """How many messages waited in a queue while its service was down, and how they went down behind it.

    `schedule` says in words what was done; `points` are (seconds, depth), each valid until the next one;
    `moments` are (seconds, what happened to a service then).
    """

    schedule: str
    queue: str
    points: tuple[tuple[float, int], ...]
    moments: tuple[tuple[float, str], ...] = ()

    @property
    def most(self) -> int:
        """How many waited at the worst moment."""
        return max(size for _, size in self.points)

    @property
    def drained_after(self) -> float | None:
        """How many seconds after the last moment (else after the worst one) nothing waited any more, or None."""
        if self.points[-1][1]:
            return None
        worst = next(t for t, size in self.points if size == self.most)
        since = max((t for t, _ in self.moments), default=worst)
        empty = self.points[-1][0]
        for t, size in reversed(self.points):
            if size:
                break
            empty = t
        return max(empty - since, 0.0)


def curves(history: History) -> tuple[Curve, ...]:
    """Return the depth of each queue in which messages waited; none where no service was ever down."""
    if not history.named(*_OUTAGES):
        return ()
    moments = tuple((event.t, _MOMENTS[event.event]) for event in history.named(*_MOMENTS))
    points: dict[str, list[tuple[float, int]]] = {}
    for event in history.named("depth"):
        points.setdefault(event.queue, []).append((event.t, event.size))
    words = history.header.schedule.describe()
    return tuple(
        Curve(words, queue, tuple(each), moments)
        for queue, each in points.items()
        if any(size for _, size in each)
    )


@dataclass
class Findings:
    """What a campaign found; `settings` are the broker's that change verdicts or speed.

    `curves` are those of its outages, in the order they were carried out; a report draws the steepest few.
    `left_out` says which exploration was left out, and why; `restless` where the first clean runs differ; `unmoved`
    is what is observed and they did not change. `unexplored` names what ``--explore`` could have tried as well;
    `narrowed` says that some of it is tried where nobody says what.
    `shared` is the key of the contract because of which lanes were not side by side. `spent` is the budget, in
    seconds, where that ended it; `stuck` says that a kind of schedule was left out, since the service got stuck in it.
    """

    service: str
    broker: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    counterexamples: list[Counterexample] = field(default_factory=list)
    planned: int = 0
    carried_out: int = 0
    seconds: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    left_out: str = ""
    restless: str = ""
    unmoved: tuple[str, ...] = ()
    unexplored: tuple[str, ...] = ()
    narrowed: bool = False
    shared: str = ""
    spent: float = 0.0
    stuck: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """What whoever reads the verdicts has to know of the run."""
        still = ", ".join(self.unmoved)
        blind = f"no clean run changed anything at {still}: nothing that is lost shows there; is it what you meant?"
        alone = (
            f"one lane at a time, since {self.shared} names a database that others would share; see {{lane}}"
        )
        return tuple(filter(None, (self.left_out, blind if still else "", alone if self.shared else "")))

    @property
    def left(self) -> int:
        """How many schedules were planned and not carried out."""
        return max(0, self.planned - self.carried_out)

    @property
    def why_left(self) -> str:
        """Why these were not carried out, behind a colon; empty where that is not known."""
        spent = (
            f"the budget of {self.spent:g} s was spent, raise --budget or leave it out" if self.spent else ""
        )
        stuck = "what left the service stuck was not tried further" if self.stuck else ""
        why = "; ".join(filter(None, (spent, stuck)))
        return f": {why}" if why else ""

    @property
    def outcome(self) -> Outcome:
        """Broken if any promise is; else unknown if any is, or none was judged; else kept."""
        outcomes = {each.outcome for each in self.tallies.values()} or {"unknown"}
        return "broken" if "broken" in outcomes else "unknown" if "unknown" in outcomes else "kept"

    def counterexample(self, promise: str) -> Counterexample | None:
        """Return the counterexample to a promise, or None."""
        return next((each for each in self.counterexamples if each.promise == promise), None)
