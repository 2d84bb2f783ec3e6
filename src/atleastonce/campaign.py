"""A campaign finds out which promises a service keeps: calm run, explore, run in lanes, judge, confirm, shrink.

What the commands and the pytest plugin call.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

from atleastonce.casting import cast_list
from atleastonce.expectation import Calm
from atleastonce.exploration import DEFAULT, EXPLORERS
from atleastonce.exploration.crash_points import in_both
from atleastonce.exploration.ordering import family, in_turn
from atleastonce.exploration.poison import is_alone, set_aside
from atleastonce.exploration.writes import onward
from atleastonce.findings import Findings, Judged, curves
from atleastonce.history import History
from atleastonce.lateness import Lateness
from atleastonce.layout import Site
from atleastonce.proving import Prover
from atleastonce.schedule import Schedule, publish
from atleastonce.subjects import tracing
from atleastonce.verdict import tally
from atleastonce.watching import Watcher
from atleastonce.workshop import Workshop

_T = TypeVar("_T")
_WRITES, _RANDOM = "writes", "random"
_SOME = 200
"""How many random schedules are tried where no budget ends it."""
_AGAIN = 5
"""How many schedules that could not be judged are carried out once more; where it is all of them, time is lost."""
_STUCK = 3
"""How many schedules of one kind may leave the service stuck before the rest of that kind is left out."""
_UNBEGUN = 3
"""How many schedules may not even be begun before the rest is left out: no service starts any more, or no broker."""


@dataclass(frozen=True)
class Plan:
    """What a campaign does: `budget`, `shrink_budget` and `recovery` in seconds, `confirm` times.

    `recovery` is for how long what is missing is awaited, once, before it is held against the service; where the
    contract says how long effects take (`observe.settles`), or it is 0, no longer than in any run.
    `until` names a promise: once it is broken, no new schedule is started, and only that is proven.
    """

    explore: tuple[str, ...] = DEFAULT
    messages: int = 3
    lanes: int = 2
    budget: float | None = None
    confirm: int = 3
    shrink_budget: float = 60.0
    recovery: float = 40.0
    seed: int = 0
    until: str = ""


class Campaign:
    """One contract on one broker."""

    def __init__(self, site: Site, plan: Plan, watcher: Watcher) -> None:
        self._site = site
        self._plan = plan
        self._watcher = watcher
        self._promises = tuple(site.contract.contract.promised)
        self._lock = threading.Lock()
        self._began = 0.0
        self._again = _AGAIN
        self._stuck: Counter[str] = Counter()
        self._unbegun = 0
        self._told: set[str] = set()

    def carry_out(self) -> Findings:
        """Do it all; raise UsageError, BrokerError or Cancelled."""
        began = self._began = time.monotonic()
        plan, contract = self._plan, self._site.contract.contract
        findings = Findings(
            service=next(iter(contract.all_services)),
            broker=contract.broker.kind,
            settings=self._site.settings,
            unexplored=tuple(name for name in EXPLORERS if name not in plan.explore),
            narrowed=not {*DEFAULT} <= {*plan.explore},
            shared=contract.common_database if plan.lanes > 1 else "",
        )
        with Workshop(self._site) as workshop:
            self._prover = Prover(workshop, self._watcher, findings, plan.confirm, plan.shrink_budget)
            recovery = plan.recovery if contract.observe.settles is None else 0.0
            self._lateness = Lateness(workshop, self._watcher, recovery, self._in_lanes)
            self._watcher.stage("start of the service")
            workshop.open_ahead()
            self._watcher.stage("clean runs")
            clean = self._calm(workshop)
            calm = in_both(clean.first, clean.second, contract)
            findings.versions = calm.header.versions
            findings.restless, findings.unmoved = clean.restless, clean.unmoved
            traced = self._traced(calm, workshop, findings)
            schedules = self._schedules(calm, onward(each.history for each in traced))
            findings.planned = len(traced) + len(schedules)
            self._watcher.stage("schedules", len(schedules))
            judged = traced + self._in_two_parts(
                [each for each in schedules if not each.restarts_broker], workshop, findings
            )
            judged += self._walked_on(judged, workshop, findings)
            judged += self._mixed(calm, judged, workshop, findings)
            # Before the restarts: some brokers are not quite themselves behind one.
            self._prove_all(judged)
            restarted: list[Judged] = []
            for schedule in (each for each in schedules if each.restarts_broker):
                if not (self._is_spent() or self._found([*judged, *restarted])):
                    self._watcher.stage("restart of the broker", 1)
                    workshop.close_lanes()  # the broker is theirs, too
                    restarted += self._run_all([schedule], workshop)
            self._prove_all(restarted)
        self._count([*judged, *restarted], findings)
        findings.seconds = time.monotonic() - began
        return findings

    # -- stages

    def _calm(self, workshop: Workshop) -> Calm:
        """Make the clean runs, while the other lanes are being opened."""
        others = self._lanes - 1
        with ThreadPoolExecutor(max(1, others)) as ahead:
            for _ in range(others):
                ahead.submit(workshop.open_ahead)
            return workshop.calm(self._messages())

    @property
    def _lanes(self) -> int:
        return min(self._plan.lanes, self._site.lanes or self._plan.lanes)

    def _messages(self) -> Schedule:
        messages = cast_list(self._site.contract.contract, self._plan.messages)
        return Schedule(
            contract=self._site.contract.sha256,
            seed=self._plan.seed,
            messages=messages,
            actions=publish(*messages),
        )

    def _traced(self, calm: History, workshop: Workshop, findings: Findings) -> list[Judged]:
        """Trace what the handling of each message calls, if write points are to be explored and can be."""
        if _WRITES not in self._plan.explore:
            return []
        if (why_not := tracing.problem(self._site.environment({}))) is not None:
            findings.left_out = f"--explore {_WRITES} was left out: {why_not}"
            return []
        schedules = list(EXPLORERS[_WRITES](calm, self._site.contract.contract))
        self._watcher.stage("traces of write points", len(schedules))
        return self._run_all(schedules, workshop)

    def _in_two_parts(
        self, schedules: Sequence[Schedule], workshop: Workshop, findings: Findings
    ) -> list[Judged]:
        """Carry out schedules; once it was seen how each poison is set aside, crashes at that are among the rest."""
        poisoned = [number for number, each in enumerate(schedules, start=1) if is_alone(each)]
        seen = max(poisoned, default=0)
        judged = self._explored(schedules[:seen], workshop)
        points = list(set_aside((each.history for each in judged), self._site.contract.contract))
        rest = schedules[seen:]
        if points:
            findings.planned += len(points)
            rest = in_turn([*rest, *points], self._plan.seed)
            self._watcher.stage("schedules, and crashes while a poison is set aside", len(rest))
        return judged + self._explored(rest, workshop)

    def _walked_on(self, judged: Sequence[Judged], workshop: Workshop, findings: Findings) -> list[Judged]:
        """Walk the write points on where the last one known was hit, until none is hit any more."""
        walked: list[Judged] = []
        while more := onward(each.history for each in (*judged, *walked)):
            self._watcher.stage("write points further on", len(more))
            done = self._run_all(more, workshop)
            findings.planned += len(more)
            walked += done
            if len(done) < len(more):
                break
        return walked

    def _mixed(
        self, calm: History, judged: Sequence[Judged], workshop: Workshop, findings: Findings
    ) -> list[Judged]:
        """Carry out random schedules, if they are asked for, until the budget is spent."""
        if _RANDOM not in self._plan.explore or self._found(judged):
            return []
        schedules = EXPLORERS[_RANDOM](calm, self._site.contract.contract)
        if (why_not := tracing.problem(self._site.environment({}))) is not None:
            findings.left_out = f"write points were left out: {why_not}"
            schedules = (each for each in schedules if not any(trap.is_write for trap in each.traps))
        budget = self._plan.budget
        self._watcher.stage(f"random schedules, seed {self._plan.seed}", None if budget else _SOME)
        done = self._explored(schedules if budget else islice(schedules, _SOME), workshop)
        findings.planned += len(done)
        return done

    def _schedules(self, calm: History, points: Sequence[Schedule]) -> list[Schedule]:
        """Return what to carry out, in the order of `in_turn`."""
        contract = self._site.contract.contract
        names = [name for name in self._plan.explore if name not in (_WRITES, _RANDOM)]
        found = [*points, *(each for name in names for each in EXPLORERS[name](calm, contract))]
        if self._site.restart is None:
            found = [each for each in found if not each.restarts_broker]
        return in_turn(found, self._plan.seed)

    def _explored(self, schedules: Iterable[Schedule], workshop: Workshop) -> list[Judged]:
        """Carry out schedules; where the plan waits for a promise, go on behind failures that prove nothing."""
        todo, judged = iter(schedules), list[Judged]()
        while True:
            judged += self._carried_out(todo, workshop)
            if not self._found(judged):
                return judged
            self._prove_all(judged)
            if self._prover.proven(self._plan.until):
                return judged

    def _run_all(self, schedules: Sequence[Schedule], workshop: Workshop) -> list[Judged]:
        return self._carried_out(iter(schedules), workshop)

    def _carried_out(self, todo: Iterator[Schedule], workshop: Workshop) -> list[Judged]:
        """Carry out schedules in lanes side by side, until all are done or the budget is spent."""
        judged: list[Judged] = []

        def carry_out(schedule: Schedule) -> None:
            if self._stuck[family(schedule)] >= _STUCK:
                return
            one = self._judged(schedule, workshop)
            with self._lock:
                self._tell(one)
                judged.append(one)
                self._stuck[family(schedule)] += one.history.stuck
                self._unbegun += one.history.unbegun

        self._in_lanes(todo, carry_out, lambda: self._is_spent() or self._done(judged))
        return judged

    def _is_spent(self) -> bool:
        """Tell whether the budget leaves no time to begin another schedule."""
        budget = self._plan.budget
        return budget is not None and time.monotonic() >= self._began + budget

    def _in_lanes(
        self, todo: Iterable[_T], do: Callable[[_T], None], enough: Callable[[], bool] = lambda: False
    ) -> None:
        """Do something with each, as many side by side as there are lanes, until it is enough."""
        left = iter(todo)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                while not (failures or enough()):
                    with self._lock:
                        each = next(left)
                    do(each)
            except StopIteration:
                pass
            except BaseException as exc:  # noqa: BLE001 - raised again by the thread that waits
                failures.append(exc)

        with _running([threading.Thread(target=work) for _ in range(self._lanes)], self._site.stop):
            pass
        if failures:
            raise failures[0]

    def _judged(self, schedule: Schedule, workshop: Workshop) -> Judged:
        """Carry out a schedule, and once more where it could not be judged: the machine may have been busy.

        What it broke the first time stands. A service that got nowhere would do so again, and take its time.
        """
        one = workshop.carry_out(schedule)
        if not one.unknown or one.history.stuck or one.broken or self._again <= 0:
            return one
        self._again -= 1
        other = workshop.carry_out(schedule)
        return other if other.unknown < one.unknown else one

    def _done(self, judged: Sequence[Judged]) -> bool:
        """Tell whether no more schedules need to be carried out, or none can."""
        return self._unbegun >= _UNBEGUN or self._found(judged)

    def _found(self, judged: Sequence[Judged]) -> bool:
        """Tell whether the promise that the plan waits for was broken, as far as is known."""
        until = self._plan.until
        return bool(until) and (self._prover.proven(until) or bool(self._prover.open(until, judged)))

    def _tell(self, one: Judged) -> None:
        self._watcher.judged(one)
        for promise in self._promises:
            if one.broke(promise) and promise not in self._told:
                self._told.add(promise)
                self._watcher.broken(promise, one)

    def _prove_all(self, judged: list[Judged]) -> None:
        """Prove what was broken, promise by promise, where that has not been done yet and it is not just late."""
        promises = [each for each in self._promises if self._plan.until in ("", each)]
        late = True
        while late:
            first = (self._prover.open(promise, judged)[:1] for promise in promises)
            late = self._lateness.is_found(judged, chain.from_iterable(first))
        for promise in promises:
            self._prover.prove(promise, judged)

    def _count(self, judged: Sequence[Judged], findings: Findings) -> None:
        """Count the verdicts; what was broken once, and not when it was carried out again, is unknown."""
        findings.carried_out = len(judged)
        findings.spent = (self._plan.budget or 0.0) if self._is_spent() else 0.0
        findings.stuck = any(times >= _STUCK for times in self._stuck.values())
        findings.curves = [curve for each in judged for curve in curves(each.history)]
        for promise in self._promises:
            counted = tally(each.verdicts[promise] for each in judged)
            if reason := self._prover.withdrawn(promise):
                counted = counted.withdrawn(reason)
            findings.tallies[promise] = counted


def replay(site: Site, schedule: Schedule, times: int, *, until_broken: bool = False) -> list[Judged]:
    """Carry out one schedule several times, with clean runs of its own; raise UsageError or BrokerError."""
    carried_out: list[Judged] = []
    with Workshop(site) as workshop:
        for _ in range(times):
            carried_out.append(workshop.carry_out(schedule))
            if until_broken and carried_out[-1].broken:
                break
    return carried_out


@contextmanager
def _running(threads: Sequence[threading.Thread], stop: threading.Event) -> Iterator[None]:
    """Start threads and wait for them; where we are interrupted, they are asked to stop, and awaited too."""
    for thread in threads:
        thread.start()
    try:
        yield
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join()
        raise
