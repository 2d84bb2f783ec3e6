"""A campaign finds out what a service promises truly: calm run, explore, run in lanes, judge, confirm, shrink.

What the command, the pytest plugin and the replay all call.
"""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from atleastonce import canary
from atleastonce.casting import cast_list
from atleastonce.checks import judge
from atleastonce.errors import AtLeastOnceError, Cancelled
from atleastonce.exploration import EXPLORERS
from atleastonce.exploration.shrinking import shrink
from atleastonce.history import History
from atleastonce.lane import Lane, Site
from atleastonce.runner import Expectation, Pace, run, run_clean
from atleastonce.schedule import Schedule, publish
from atleastonce.verdict import Tally, Verdict, tally

_QUIET = {"rabbitmq": 30.0, "kafka": 60.0}
"""How long quiet is awaited, in seconds: on Kafka above the session time-out of 45 s."""
_LEAST_SETTLES = 1.0
_CALM_TIMES = 10.0


@dataclass(frozen=True)
class Plan:
    """What a campaign does."""

    explore: tuple[str, ...] = tuple(EXPLORERS)
    messages: int = 3
    lanes: int = 2
    budget: float | None = None
    confirm: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Judged:
    """One schedule that was carried out, and what its history says of each promise."""

    history: History
    verdicts: dict[str, Verdict]


@dataclass(frozen=True)
class Counterexample:
    """A schedule that breaks a promise, as short as it could be made."""

    promise: str
    judged: Judged
    confirmed: int
    tried: int
    steps_before: int
    log: str

    @property
    def verdict(self) -> Verdict:
        """The verdict that it is evidence for."""
        return self.judged.verdicts[self.promise]


class Watcher(Protocol):
    """Is told how a campaign goes on; called from one thread at a time."""

    def stage(self, what: str, total: int | None = None) -> None:
        """A stage begins; `total` is how many schedules it will carry out, where that is known."""

    def judged(self, judged: Judged, lane: str) -> None:
        """A schedule was carried out and judged."""

    def broken(self, promise: str, judged: Judged) -> None:
        """A promise was broken for the first time; the raw schedule, before it is confirmed and shrunk."""


@dataclass
class Findings:
    """What a campaign found."""

    service: str
    broker: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    counterexamples: list[Counterexample] = field(default_factory=list)
    planned: int = 0
    carried_out: int = 0
    seconds: float = 0.0


class Campaign:
    """One contract on one broker."""

    def __init__(self, site: Site, plan: Plan, watcher: Watcher) -> None:
        self._site = site
        self._plan = plan
        self._watcher = watcher
        self._contract = site.contract.contract
        self._promises = tuple(self._contract.promised)
        self._lock = threading.Lock()
        self._expected: dict[tuple[str, ...], Expectation] = {}
        self._names = iter(range(1, 1_000_000))
        self._canary = 0.0

    def carry_out(self) -> Findings:
        """Do it all; raise UsageError, BrokerError or Cancelled."""
        began = time.monotonic()
        findings = Findings(next(iter(self._contract.all_services)), self._contract.broker.kind)
        with self._lanes() as workshop:
            self._watcher.stage("calm run")
            calm = self._calm(workshop)
            schedules = self._schedules(calm)
            findings.planned = len(schedules)
            self._watcher.stage("schedules", len(schedules))
            judged = self._run_all(schedules, workshop)
            findings.carried_out = len(judged)
            for promise in self._promises:
                findings.tallies[promise] = tally(each.verdicts[promise] for each in judged)
            findings.counterexamples = list(self._proven(judged, workshop, findings))
        findings.seconds = time.monotonic() - began
        return findings

    def replay(self, schedule: Schedule, times: int) -> list[Judged]:
        """Carry out one schedule several times, each judged on every promise."""
        with self._lanes() as workshop:
            return [self._judged(workshop, schedule) for _ in range(times)]

    # -- stages

    def _calm(self, workshop: "Workshop") -> History:
        messages = cast_list(self._contract, self._plan.messages)
        schedule = Schedule(
            contract=self._site.contract.sha256,
            seed=self._plan.seed,
            messages=messages,
            actions=publish(*messages),
        )
        with workshop.lane() as lane:
            return self._expect(lane, schedule)

    def _schedules(self, calm: History) -> list[Schedule]:
        found = [schedule for name in self._plan.explore for schedule in EXPLORERS[name](calm)]
        # Duplicates first, then crashes in another order: a budget that runs out has then seen a bit of all.
        ordinary = [schedule for schedule in found if not schedule.traps]
        crashes = [schedule for schedule in found if schedule.traps]
        random.Random(self._plan.seed).shuffle(crashes)  # noqa: S311 - for variety, not for secrecy
        return ordinary + crashes

    def _run_all(self, schedules: Sequence[Schedule], workshop: "Workshop") -> list[Judged]:
        """Carry out schedules in lanes side by side, until all are done or the budget is spent."""
        todo: queue.SimpleQueue[Schedule] = queue.SimpleQueue()
        for schedule in schedules:
            todo.put(schedule)
        judged: list[Judged] = []
        failures: list[BaseException] = []
        deadline = time.monotonic() + self._plan.budget if self._plan.budget is not None else None
        told: set[str] = set()

        def work() -> None:
            try:
                while not failures and (deadline is None or time.monotonic() < deadline):
                    one = self._judged(workshop, todo.get_nowait())
                    with self._lock:
                        judged.append(one)
                        self._tell(one, told)
            except queue.Empty:
                pass
            except BaseException as exc:  # noqa: BLE001 - raised again by the thread that waits
                failures.append(exc)

        threads = [threading.Thread(target=work, name=f"lane-{n}") for n in range(self._plan.lanes)]
        with _running(threads, self._site):
            pass
        if failures:
            raise failures[0]
        return judged

    def _tell(self, judged: Judged, told: set[str]) -> None:
        self._watcher.judged(judged, judged.history.header.contract)
        for promise, verdict in judged.verdicts.items():
            if verdict.outcome == "broken" and promise not in told:
                told.add(promise)
                self._watcher.broken(promise, judged)

    def _proven(
        self, judged: Iterable[Judged], workshop: "Workshop", findings: Findings
    ) -> Iterator[Counterexample]:
        """Confirm and shrink the first failure of every promise; a promise whose failure is none becomes unknown."""
        judged = list(judged)
        for promise in self._promises:
            broken = [each for each in judged if each.verdicts[promise].outcome == "broken"]
            if not broken:
                continue
            first = min(broken, key=lambda each: each.history.header.schedule.steps)
            found = self._confirmed(promise, first, workshop)
            if found is None:
                was = findings.tallies[promise]
                reason = "seen once, but not again when it was carried out again"
                findings.tallies[promise] = msgspec.structs.replace(
                    was,
                    broken=0,
                    unknown=was.unknown + was.broken,
                    reasons={**was.reasons, reason: was.broken},
                )
            else:
                yield found

    def _confirmed(self, promise: str, first: Judged, workshop: "Workshop") -> Counterexample | None:
        """Carry a failure out again with fresh clean runs, then shrink it; None where an absence was not seen again."""
        self._watcher.stage(f"confirm {promise}", self._plan.confirm)
        self._expected.clear()
        schedule = first.history.header.schedule

        def again(shorter: Schedule) -> Judged:
            return self._judged(workshop, shorter)

        seen = [again(schedule) for _ in range(self._plan.confirm)]
        broken = [each for each in seen if each.verdicts[promise].outcome == "broken"]
        surplus = promise == "effects-once"
        if not broken and not surplus:
            return None
        shortest = first if not broken else broken[0]
        self._watcher.stage(f"shrink {promise}")

        def breaks(shorter: Schedule) -> bool:
            nonlocal shortest
            one = again(shorter)
            if one.verdicts[promise].outcome == "broken":
                shortest = one
                return True
            return False

        if broken:
            shrink(schedule, shortest.verdicts[promise].blamed, breaks)
        return Counterexample(
            promise=promise,
            judged=shortest,
            confirmed=len(broken),
            tried=len(seen),
            steps_before=schedule.steps,
            log=workshop.last_log,
        )

    # -- one schedule

    def _judged(self, workshop: "Workshop", schedule: Schedule) -> Judged:
        with workshop.lane() as lane:
            expected = self._expectation(lane, schedule)
            history = run(lane, f"case-{next(self._names)}", schedule, expected)
            workshop.last_log = lane.subject.log.read_text(errors="replace")
        return Judged(history, {promise: judge(history, promise) for promise in self._promises})

    def _expectation(self, lane: Lane, schedule: Schedule) -> Expectation:
        key = tuple(sorted(schedule.published))
        with self._lock if key not in self._expected else nullcontext():
            if key not in self._expected:
                self._expect(lane, msgspec.structs.replace(schedule, actions=publish(*key), traps=()))
            return self._expected[key]

    def _expect(self, lane: Lane, schedule: Schedule) -> History:
        """Make the two clean runs of a set of messages, keep them, and return the history of the first."""
        settles = self._contract.observe.settles
        if not self._canary:
            self._canary = self._calm_canary()
        quiet = _QUIET[self._contract.broker.kind]
        pace = Pace(quiet=quiet, settles=float(settles or _LEAST_SETTLES), canary=self._canary)
        first, history = run_clean(lane, f"clean-{next(self._names)}", schedule, pace, "clean-1")
        if settles is None:
            calm = max(_LEAST_SETTLES, _CALM_TIMES * _latency(history))
            pace = Pace(quiet=quiet, settles=calm, canary=self._canary)
        reverse = msgspec.structs.replace(schedule, actions=schedule.actions[::-1])
        second, _ = run_clean(lane, f"clean-{next(self._names)}", reverse, pace, "clean-2")
        self._expected[tuple(sorted(schedule.published))] = Expectation(first, second, pace)
        return history

    def _calm_canary(self) -> float:
        took = canary.measure(self._site.canary, within=30.0)
        if took is None:
            raise AtLeastOnceError("the canary could not send a message through the broker within 30 s")
        return took

    @contextmanager
    def _lanes(self) -> Iterator["Workshop"]:
        workshop = Workshop(self._site)
        try:
            yield workshop
        finally:
            workshop.close()


class Workshop:
    """The lanes that are open: handed out one at a time, spoiled ones laid anew."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._numbers = iter(range(1, 1_000_000))
        self._lock = threading.Lock()
        self.last_log = ""

    @contextmanager
    def lane(self) -> Iterator[Lane]:
        """Lend a lane; it goes back afterwards, unless it is spoiled or every case wants a fresh one."""
        lane = self._take()
        try:
            yield lane
        except BaseException:
            lane.__exit__(None, None, None)
            raise
        if lane.spoiled or lane.service.reset == "restart":
            lane.__exit__(None, None, None)
        else:
            self._free.put(lane)

    def close(self) -> None:
        """Close every lane."""
        while not self._free.empty():
            self._free.get_nowait().__exit__(None, None, None)

    def _take(self) -> Lane:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            with self._lock:
                number = next(self._numbers)
            return Lane(self._site, f"lane-{number}").__enter__()


def _latency(history: History) -> float:
    """Return the longest time from a publication of ours to its settlement, in seconds."""
    published: dict[str, float] = {}
    longest = 0.0
    for event in history.events:
        if event.event == "published" and event.copy:
            published[event.copy] = event.t
        elif event.settles and event.copy in published:
            longest = max(longest, event.t - published[event.copy])
    return longest


@contextmanager
def _running(threads: Sequence[threading.Thread], site: Site) -> Iterator[None]:
    """Start threads and wait for them; where we are interrupted, they are asked to stop, and awaited too."""
    for thread in threads:
        thread.start()
    try:
        yield
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
    except BaseException:
        site.stop.set()
        for thread in threads:
            thread.join()
        raise
