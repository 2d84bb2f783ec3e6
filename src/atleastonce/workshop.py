"""The lanes of a run and the clean runs made in them: lent to one thread at a time, laid anew when spoiled."""

import itertools
import queue
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

import msgspec

from atleastonce import agreement, canary
from atleastonce.checks import judge
from atleastonce.errors import AtLeastOnceError, Cancelled, TransportError, UsageError
from atleastonce.expectation import Calm, Expectation, Pace, latency, paced, stillness
from atleastonce.findings import Judged
from atleastonce.heading import unbegun
from atleastonce.history import History, Moment, Observation
from atleastonce.history_file import append
from atleastonce.lane import Lane
from atleastonce.layout import Site
from atleastonce.packing import pack, packable, unpack
from atleastonce.replaying import replayed
from atleastonce.runner import changed, run, run_clean
from atleastonce.schedule import SENTINEL, Action, Schedule, publish
from atleastonce.verdict import Verdict

_QUIET = {"rabbitmq": 30.0, "kafka": 60.0, "http": 30.0}
"""How long quiet is awaited, in seconds: on Kafka above the session time-out of 45 s."""
_LEAST_SETTLES = 1.0
_CALM_TIMES = 10.0
"""A missing effect is awaited ten times the calm latency, and a second at least, unless the contract says."""
_CANARY_WITHIN = 30.0

_NO_LANE = "no-lane"
"""In whose file the histories of schedules are that could not be begun."""

_Sent = tuple[tuple[str, str], ...]
"""Messages by name, each with its body."""


class Workshop:
    """Carries out schedules; a context manager that closes its lanes. Thread-safe."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._contract = site.contract.contract
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._lane_numbers = itertools.count(1)
        self._cases = itertools.count(1)
        self._expected: dict[_Sent, Expectation] = {}
        self._making: defaultdict[_Sent, threading.Lock] = defaultdict(threading.Lock)
        self._warm_ups: list[Schedule] = []
        self._warmed: dict[str, int] = {}
        self._canary = 0.0
        self._worked = False
        self.patience = 0.0
        """For how long what is missing is awaited at least, in seconds, as far as that is known by now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_lanes()

    def close_lanes(self) -> None:
        """Close every lane that is not lent."""
        while not self._free.empty():
            self._free.get_nowait().close()

    def calm(self, schedule: Schedule) -> Calm:
        """Make the clean runs of a schedule's messages."""
        with self._lane() as lane:
            first, second = self._expect(lane, schedule)
            expected = self._expected[_sent(schedule)]
            unmoved = lane.unmoved({*expected.first.values, *expected.second.values})
            return Calm(first, second, expected.restless, unmoved)

    def carry_out(self, schedule: Schedule, *, proof: bool = False, patience: float = 0.0) -> Judged:
        """Carry out a schedule in a lane of its own, and judge it on every promise of the contract.

        Raise AtLeastOnceError where it cannot be begun; once a clean run has worked, that is its own unknown.
        Its history says whether that is to prove a failure that was found already. With `patience`, in seconds,
        what is missing is awaited for so long.
        """
        whole = self._carried_out(schedule, patience)
        if proof:
            header = msgspec.structs.replace(whole.history.header, proof=True)
            whole = replace(whole, history=msgspec.structs.replace(whole.history, header=header))
        self._save(whole.history, whole.lane)
        return whole

    def carry_out_closely(self, schedule: Schedule) -> Judged:
        """Carry out a schedule that replays, and look for the first event after which the reports differ."""
        name = f"lane-{next(self._lane_numbers)}"
        found = self._judged(*replayed(self._site, name, schedule, self._pace(), narrow=True))
        self._save(found.history, found.lane)
        return found

    def carry_out_together(self, schedules: Sequence[Schedule]) -> list[Judged]:
        """Carry out many small schedules side by side in one lane, and judge each by itself.

        What can't be told apart there, or isn't kept, is carried out by itself, and that is what is judged. Where
        a schedule then keeps what all of them together broke, their one schedule is returned behind the others:
        what was seen stands, and it may take the company to show it. Raises as `carry_out` does.
        """
        if len(schedules) == 1 or not all(map(packable, schedules)):
            return [self.carry_out(each) for each in schedules]
        whole = self._carried_out(pack(schedules))
        if any(map(_in_doubt, whole.verdicts.values())):
            alone = [self.carry_out(each) for each in schedules]
            if all(any(each.broke(promise) for each in alone) for promise in whole.broken):
                return alone
            self._save(whole.history, whole.lane)
            return [*alone, whole]
        return [
            self._apart(whole, *each)
            for each in zip(schedules, unpack(whole.history, schedules), strict=True)
        ]

    def _apart(self, whole: Judged, schedule: Schedule, history: History) -> Judged:
        """Judge a schedule by its part of the whole, or by itself where that part leaves a doubt."""
        part = self._judged(history, whole.lane, whole.log)
        if any(map(_in_doubt, part.verdicts.values())):
            return self.carry_out(schedule)
        self._save(part.history, part.lane)
        return part

    def _carried_out(self, schedule: Schedule, patience: float = 0.0) -> Judged:
        if schedule.replays:
            name = f"lane-{next(self._lane_numbers)}"
            return self._judged(*replayed(self._site, name, schedule, self._pace()))
        try:
            with self._lane() as lane:
                expected = self._expectation(lane, schedule)
                pace = msgspec.structs.replace(expected.pace, missing=max(patience, self.patience))
                expected = replace(expected, pace=pace)
                history = run(lane, f"case-{next(self._cases)}", schedule, expected)
                return self._judged(history, lane.name, lane.recent_log())
        except AtLeastOnceError as exc:
            # Where nothing has worked yet, something is wrong with the contract or the service, and no schedule's.
            if isinstance(exc, Cancelled) or not self._worked:
                raise
            return self._judged(unbegun(self._site, schedule, self._pace(), str(exc)), _NO_LANE, "")

    def _pace(self) -> Pace:
        """Return the pace that is kept where no clean run was needed."""
        settles = float(self._contract.observe.settles or _LEAST_SETTLES)
        return paced(
            self._contract.promised,
            quiet=_QUIET[self._contract.broker.kind],
            settles=settles,
            canary=self._calm_canary(),
        )

    def _judged(self, history: History, lane: str, log: str) -> Judged:
        verdicts = {promise: judge(history, promise) for promise in self._contract.promised}
        return Judged(history=history, verdicts=verdicts, lane=lane, log=log)

    def _save(self, history: History, lane: str) -> str:
        """Keep a history, and return where; empty where none is kept."""
        if self._site.histories is None:
            return ""
        kept = self._site.histories / f"{lane}.jsonl"
        append(history, kept)
        return str(kept)

    def forget_clean_runs(self) -> None:
        """Have the clean runs made again: what accuses a service shall not rest on a single pair of them."""
        self._expected.clear()

    # -- lanes

    def open_ahead(self) -> None:
        """Open one more lane for whoever needs it next; raises as to open one then would."""
        self._free.put(self._opened())

    def _opened(self) -> Lane:
        return Lane(self._site, f"lane-{next(self._lane_numbers)}").open()

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """Lend a lane; it goes back afterwards, unless it is spoiled or every case wants a fresh one."""
        try:
            lane = self._free.get_nowait()
        except queue.Empty:
            lane = self._opened()
        try:
            self._warm_up(lane)
            yield lane
        except BaseException:
            lane.close()
            raise
        if lane.spoiled or any(part.service.reset == "restart" for part in lane.parts):
            lane.close()
        else:
            self._free.put(lane)

    def _warm_up(self, lane: Lane) -> None:
        """Let the services of a lane make the rows that they make once, and only change from then on."""
        for schedule in self._warm_ups[self._warmed.get(lane.name, 0) :]:
            self._clean(lane, schedule, self._pace(), "clean-1")
            self._warmed[lane.name] = self._warmed.get(lane.name, 0) + 1

    # -- clean runs

    def _expectation(self, lane: Lane, schedule: Schedule) -> Expectation:
        sent = _sent(schedule)
        with self._lock:
            making = self._making[sent]
        with making:  # whoever needs these very messages waits; the other lanes go on
            if sent not in self._expected:
                names = (name for name, _ in sent)
                self._expect(lane, msgspec.structs.replace(schedule, actions=publish(*names), traps=()))
            return self._expected[sent]

    def _expect(self, lane: Lane, schedule: Schedule) -> tuple[History, History]:
        """Make two clean runs of a set of messages, keep what they showed, and return their histories.

        The second takes them in reverse, the sentinel first, and begins with an orderly restart: what depends on
        order, or does not outlive the process, differs then, and proves nothing. Where the first only had rows to
        make that were there in the second, a third takes its place, and each lane is to have these rows.
        """
        settles, pace = self._contract.observe.settles, self._pace()
        first, history = self._clean(lane, schedule, pace, "clean-1")
        if settles is None:
            calm = max(_LEAST_SETTLES, _CALM_TIMES * latency(history), 2 * stillness(history))
            pace = msgspec.structs.replace(pace, settles=calm)
        names = tuple(self._contract.all_services)
        restart = (*(Action(stop=name) for name in names), *(Action(start=name) for name in names))
        backwards = (*restart, *publish(SENTINEL), *schedule.actions[::-1])
        other = msgspec.structs.replace(schedule, actions=backwards)
        second, reverse = self._clean(lane, other, pace, "clean-2")
        ignore = self._contract.observe.ignore
        differing = agreement.restless(first, second, ignore)
        if differing and agreement.grew(first, second, ignore):
            third, _ = self._clean(lane, schedule, pace, "clean-1")
            if not agreement.restless(third, second, ignore):
                first, differing = third, ""
                self._warm_ups.append(schedule)
                self._warmed[lane.name] = len(self._warm_ups)
        self._expected[_sent(schedule)] = Expectation(first, second, pace, differing)
        self._worked = True
        return history, reverse

    def _clean(
        self, lane: Lane, schedule: Schedule, pace: Pace, moment: Moment
    ) -> tuple[Observation, History]:
        """Make a clean run; one that failed is kept, for whoever has to find out why."""
        history = run_clean(lane, f"clean-{next(self._cases)}", schedule, pace)
        try:
            return changed(lane, history, moment), history
        except UsageError as exc:
            if kept := self._save(history, lane.name):
                raise type(exc)(f"{exc}\nWhat passed until then is in {kept}") from exc
            raise

    def _calm_canary(self) -> float:
        """Return the seconds that the canary takes on the calm machine, measured once."""
        if not self._canary:
            took = canary.measure(self._site.canary, self._site.environment({}), within=_CANARY_WITHIN)
            if took is None:
                raise TransportError(
                    f"the canary could not send a message through the broker within {_CANARY_WITHIN:g} s; "
                    "is the broker reachable, and the machine not overloaded?"
                )
            self._canary = took
        return self._canary


def _sent(schedule: Schedule) -> _Sent:
    """Return the innocent messages of a schedule: clean runs are expected of those very bodies, not of names."""
    bodies = {name: message.body for name, message in schedule.messages.items()}
    return tuple((name, bodies.get(name, "")) for name in sorted(schedule.innocents))


def _in_doubt(verdict: Verdict) -> bool:
    """Tell whether a verdict of several schedules together says nothing certain of each of them."""
    return verdict.occasion and verdict.outcome != "kept"
