"""What was broken is carried out again: as often as was asked for, unless that takes too long."""

import itertools
import time

import msgspec
import pytest

from atleastonce.findings import Findings, Judged
from atleastonce.history import Header, History
from atleastonce.proving import Prover
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from atleastonce.verdict import Outcome, Verdict
from atleastonce.watching import Silent
from atleastonce.workshop import Workshop

LOST = "nothing-lost"


def judged(outcome: Outcome, reason: str = "none", *, surplus: bool = False, totals: bool = False) -> Judged:
    """Return a schedule of one message with a verdict."""
    schedule = Schedule(messages={"m1": Message(id="m1")}, actions=publish("m1"))
    verdict = Verdict(
        promise=LOST, outcome=outcome, reason=reason, blamed=("m1",), surplus=surplus, totals=totals
    )
    return Judged(History(header=Header(schedule=schedule)), {LOST: verdict})


class Slow(Workshop):
    """A workshop in which every schedule takes some seconds, and comes out as planned."""

    def __init__(self, seconds: float, *outcomes: str) -> None:
        self.now = 0.0
        self._seconds = seconds
        self._outcomes = iter(outcomes)

    def forget_clean_runs(self) -> None:
        """There are none."""

    def carry_out(
        self,
        schedule: Schedule,  # noqa: ARG002 - each comes out so
        *,
        proof: bool = False,
        patience: float = 0.0,
    ) -> Judged:
        """Take the time."""
        assert (proof, patience) == (True, 0.0)
        self.now += self._seconds
        outcome, *reason = next(self._outcomes).split(":")
        return judged(msgspec.convert(outcome, Outcome), *reason)


@pytest.mark.parametrize(
    ("seconds", "outcomes", "confirmed"),
    [
        (1, ("broken", "broken", "broken"), (3, 3)),
        (1, ("unknown", "broken", "unknown"), (1, 3)),
        (35, ("broken",), (1, 1)),
        (35, ("unknown", "broken"), (1, 2)),
        (20, ("broken", "broken"), (2, 2)),
    ],
)
def test_a_failure_that_takes_long_is_confirmed_less_often(monkeypatch, seconds, outcomes, confirmed):
    """Once it was seen again; what was not is tried as often as was asked for."""
    workshop, findings = Slow(seconds, *outcomes), Findings("shop", "rabbitmq")
    monkeypatch.setattr(time, "monotonic", lambda: workshop.now)
    Prover(workshop, Silent(), findings, confirm=3, shrink_budget=0).prove(LOST, [judged("broken")])
    (found,) = findings.counterexamples
    assert (found.confirmed, found.tried) == confirmed


def test_an_absence_that_is_not_seen_again_is_none():
    """It is withdrawn, with the reason."""
    findings = Findings("shop", "rabbitmq")
    prover = Prover(Slow(0, *["kept"] * 20), Silent(), findings, confirm=3, shrink_budget=0)
    prover.prove(LOST, [judged("broken")])
    assert findings.counterexamples == []
    assert prover.withdrawn(LOST)


def test_each_stage_has_as_many_tries_as_were_announced() -> None:
    """Those that a race gets on top are a stage of their own: nobody reads of 11 tries of 3."""

    class Counting(Silent):
        def __init__(self) -> None:
            self.stages: list[tuple[int, int]] = []

        def stage(self, what: str, total: int | None = None) -> None:  # noqa: ARG002 - counted, not read
            self.stages.append((total or 0, 0))

        def judged(self, judged: Judged) -> None:  # noqa: ARG002 - likewise
            total, done = self.stages.pop()
            self.stages.append((total, done + 1))

    watcher, workshop = Counting(), Slow(0, *["kept"] * 20)
    Prover(workshop, watcher, Findings("shop", "rabbitmq"), 3, 0).prove(LOST, [judged("broken")])
    assert watcher.stages == [(3, 3), (17, 17)]


def test_an_absence_that_a_race_makes_is_tried_for_longer():
    """It comes true now and then, and what it loses is lost for good; what nobody could judge is not tried further."""
    findings = Findings("shop", "rabbitmq")
    workshop = Slow(0, *["kept"] * 9, "broken")
    Prover(workshop, Silent(), findings, confirm=3, shrink_budget=0).prove(LOST, [judged("broken")])
    (found,) = findings.counterexamples
    assert (found.confirmed, found.tried) == (1, 10)
    unjudged = Slow(0, "kept", "unknown", "kept")
    Prover(unjudged, Silent(), Findings("shop", "rabbitmq"), confirm=3, shrink_budget=0).prove(
        LOST, [judged("broken")]
    )
    assert next(unjudged._outcomes, None) is None


@pytest.mark.parametrize(
    ("seconds", "outcomes", "stands"),
    [
        (1, ("broken", "broken", "broken"), True),
        (1, ("broken", "kept", "broken"), False),
        (35, ("broken", "broken"), True),
        (35, ("broken", "kept", "kept"), False),
    ],
)
def test_what_shows_in_totals_alone_is_seen_each_time(monkeypatch, seconds, outcomes, stands):
    """A total may follow the clock, or what came before: once in a while is not enough."""
    workshop, findings = Slow(seconds, *outcomes), Findings("shop", "rabbitmq")
    monkeypatch.setattr(time, "monotonic", lambda: workshop.now)
    prover = Prover(workshop, Silent(), findings, confirm=3, shrink_budget=0)
    prover.prove(LOST, [judged("broken", totals=True)])
    assert bool(findings.counterexamples) is stands
    assert bool(prover.withdrawn(LOST)) is not stands


class Lucky(Workshop):
    """A workshop in which a kill beside m2 always loses it, and one of m2 itself every other time."""

    def __init__(self) -> None:
        self._times = itertools.count()

    def forget_clean_runs(self) -> None:
        """There are none."""

    def carry_out(self, schedule: Schedule, *, proof: bool = False, patience: float = 0.0) -> Judged:
        """Break the promise, or not."""
        assert (proof, patience) == (True, 0.0)
        beside = schedule.trapped == {"m1"} and "m2" in schedule.published
        lucky = schedule.trapped == {"m2"} and next(self._times) % 2 == 0
        return self.judged(schedule, "broken" if beside or lucky else "kept")

    def judged(self, schedule: Schedule, outcome: Outcome) -> Judged:
        """Return a verdict that blames m2."""
        verdict = Verdict(promise=LOST, outcome=outcome, reason="none", blamed=("m2",))
        return Judged(History(header=Header(schedule=schedule)), {LOST: verdict})


def test_what_broke_by_luck_is_no_counterexample() -> None:
    """A fault aimed elsewhere broke it once, and then no more: what is shown is what broke each time."""
    kill = Trap(when="after", event="ack", message="m1", service="shop", do="kill")
    schedule = Schedule(
        messages={"m1": Message(), "m2": Message()},
        actions=(*publish("m1", "m2"), Action(start="shop")),
        traps=(kill,),
    )
    workshop, findings = Lucky(), Findings("shop", "rabbitmq")
    prover = Prover(workshop, Silent(), findings, confirm=3, shrink_budget=60)
    prover.prove(LOST, [workshop.judged(schedule, "broken")])
    (found,) = findings.counterexamples
    assert found.judged.history.header.schedule == schedule


@pytest.mark.parametrize(
    ("again", "stands"), [("unknown:two clean runs differ, so …", False), ("kept", True)]
)
def test_a_surplus_stands_unless_it_was_luck_that_clean_runs_agreed(again, stands):
    """What was seen was seen; but it was compared with what depends on chance."""
    findings = Findings("shop", "rabbitmq")
    prover = Prover(Slow(1, *[again] * 3), Silent(), findings, confirm=3, shrink_budget=0)
    prover.prove(LOST, [judged("broken", surplus=True)])
    assert bool(findings.counterexamples) is stands
    assert bool(prover.withdrawn(LOST)) is not stands


def test_what_strikes_at_a_certain_point_is_tried_before_what_strikes_at_any_time() -> None:
    """A link that breaks at no certain point has fewer steps, and breaks the promise by luck."""
    first = judged("broken")
    given = first.history.header.schedule
    kill = Trap(when="after", event="ack", message="m1", service="shop", do="kill")
    schedules = [
        msgspec.structs.replace(given, actions=(*given.actions, Action(cut="shop"))),
        msgspec.structs.replace(given, actions=(*given.actions, Action(start="shop")), traps=(kill,)),
    ]
    failures = [Judged(History(header=Header(schedule=each)), first.verdicts) for each in schedules]
    prover = Prover(Slow(1.0), Silent(), Findings("shop", "RabbitMQ"), 3, 0.0)
    assert prover.open(LOST, failures) == failures[::-1]
