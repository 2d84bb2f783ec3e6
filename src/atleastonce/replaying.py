"""Has a log read twice: by a service as it comes, then by a second one, anew and from offset zero, something varied.

Both lanes have the same topics; group, state, relay and process are each one's own. Where the reports differ, shorter
logs are made, until the first event is found after which they do.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from atleastonce.actions import Actor
from atleastonce.errors import AtLeastOnceError, Cancelled, ServiceError
from atleastonce.expectation import Pace
from atleastonce.heading import header, promised
from atleastonce.history import Event, History, Observation
from atleastonce.lane import Lane
from atleastonce.layout import Site
from atleastonce.progress import Still
from atleastonce.recording import Record
from atleastonce.relay.turns import Place
from atleastonce.schedule import Schedule
from atleastonce.standing import Standing
from atleastonce.subjects import clock
from atleastonce.subjects.process import own_environment

_PULSE = 0.05
_PATIENCE = 5.0
"""How long, in `settles`, reports that differ are read again: the later one may still be made."""
_IDS = "replay"
"""What the ids of a log are made from. They are the same in every run, as no other ids are: to which partition a record
goes, and where a hash puts it, follows from them. No state outlives a replay that could know them: each reader has its
own, or the second would take everything for known."""
_ZONES = Path("/usr/share/zoneinfo")
_ZONE = "Asia/Kathmandu"
_LEAVE_OUT = 'replay.without = ["clock"] leaves this out'
_VALUES = {
    "PYTHONHASHSEED": ("0", "1"),
    "TZ": ("UTC", _ZONE if (_ZONES / _ZONE).exists() else "<+0545>-5:45"),
}
"""What the first and the second reader have in their environment; any other name is 1 for the second, or 2."""

_Runs = Sequence[tuple[Place, int]]
_Log = Sequence[tuple[Place, int]]
"""The records of a log as they were published, each with its offset."""
_Order = Callable[[_Log], _Runs]


def _by_partition(log: _Log) -> _Runs:
    """Serve partition by partition, each at once."""
    ends = dict(log)
    return [(place, ends[place] + 1) for place in sorted(ends)]


class _Way(NamedTuple):
    """How the second reader differs from the first: in its environment, and in how the log is served to it.

    Both get it in the same `order`, unless that is what is varied; without one as it comes, and that is chance.
    """

    first: Mapping[str, str]
    second: Mapping[str, str]
    said: str
    order: tuple[_Order, _Order] | None = (_by_partition, _by_partition)


def replayed(
    site: Site, name: str, schedule: Schedule, pace: Pace, *, narrow: bool = False
) -> tuple[History, str, str]:
    """Carry out a schedule that replays; return its history, the name of the lane, and what the service wrote.

    To `narrow` is to look for the first event after which the reports differ, which takes many a reading more.
    """
    replay = _Replay(site, name, schedule, pace)
    history = replay.carried_out(narrow=narrow)
    return history, name, replay.log


class _Replay:
    """One log, and how it is read again."""

    def __init__(self, site: Site, name: str, schedule: Schedule, pace: Pace) -> None:
        self._site = site
        self._name = name
        self._schedule = schedule
        self._pace = pace
        self._published = [action.target for action in schedule.actions if action.verb == "publish"]
        self._record = Record()
        self.log = ""

    def carried_out(self, *, narrow: bool) -> History:
        try:
            way = self._way()
        except ServiceError as exc:
            note = f"read again {self._schedule.replays}: that could not be done: {exc}"
            self._note("varied", ok=False, note=note)
        else:
            if self._differ(way, len(self._published), whole=True) and narrow:
                self._narrow(way)
        # An empty one, since a saved history that ends without any was cut short.
        last = Observation(observed="faulty", at=self._record.clock())
        # All that the contract promises, as in every other history of the run: they are judged again together.
        declared = {"promised": promised(self._site.contract.contract, self._pace)}
        return History(
            header=header(self._site, self._schedule, declared),
            events=self._record.events(),
            observations=(last,),
        )

    def _note(self, event: str, *, ok: bool = True, note: str = "", of: str = "", size: int = 0) -> None:
        self._record.add(Event(event=event, t=self._record.clock(), ok=ok, note=note, of=of, size=size))

    # -- the variation

    def _way(self) -> _Way:
        """Return how the second reader differs; raise ServiceError where that cannot be made."""
        contract, replay = self._site.contract.contract, self._schedule.replays
        own = next(iter(contract.all_services.values())).env
        varied = contract.replay.vary if contract.replay is not None else ()
        same = {name: _VALUES[name][0] for name in varied if name in _VALUES and name not in own}
        match replay.partition(":"):
            case ("again", _, _):
                return _Way(same, same, "the same in every other way", None)
            case ("clock", _, _):
                folder = self._site.directory(self._name)
                set_back = clock.environment(folder, self._site.environment(own_environment()))
                said = f"{-clock.SHIFT / 86400:.1f} days"
                return _Way(same, {**same, **set_back}, said)
            case ("partitions", _, _):
                said = "each is withheld until the one before is read"
                return _Way(same, same, said, (_as_published, _last_first))
            case ("batches", _, _):
                said = "fetches are answered with one of them, and first with all of a partition"
                return _Way(same, same, said, (_by_partition, partial(_merged, seed=self._schedule.seed)))
            case ("env", _, name):
                name, _, value = name.partition("=")
                first, second = _VALUES.get(name, ("", "1"))
                first, second = own.get(name, first), value or second
                second = second if second != first else "2"
                there = {name: first} if first and name not in own else {}
                return _Way({**same, **there}, {**same, name: second}, f"{name}={second}")
        raise ServiceError(f"this version knows no such way ({replay})")

    # -- the comparison

    def _differ(self, way: _Way, count: int, *, whole: bool = False) -> bool | None:
        """Have a log of the first `count` publications read twice; say whether the reports differ, None if unknown.

        Of the whole log, everything is noted.
        """
        try:
            with ExitStack() as stack:
                pair = _Pair(self._site, f"{self._name}-{count}", self._schedule, self._pace)
                first, second = pair.first(stack, way, self._published[:count]), pair.second(stack, way)
                if whole:
                    self._record = first.record
                pair.read()
                if whole:
                    self._made(way, second)
                    self.log = first.recent_log()
                one, other = pair.reports(_PATIENCE if whole else 1.0)
                if whole and one != other:
                    Actor(
                        first, self._schedule, self._pace, Standing(first, self._schedule)
                    ).canary_kept_its_time()
        except Cancelled:
            raise
        except AtLeastOnceError as exc:
            if whole:
                self._note("quiet", ok=False, note=str(exc))
            return None
        self._note("report", of="first", size=count, note=one)
        self._note("report", of="second", size=count, note=other)
        return one != other

    def _made(self, way: _Way, second: Lane) -> None:
        """Note what was varied, and where that did not come about."""
        why_not = None
        if self._schedule.replays == "clock":
            why_not = clock.unreached(process for part in second.parts for process in part.subject.members)
        note = way.said if why_not is None else f"the wall clock was not set back: {why_not}; {_LEAVE_OUT}"
        self._note("varied", ok=why_not is None, note=note)

    def _narrow(self, way: _Way) -> None:
        """Find the first event after which the reports differ, by halving; what cannot be told ends that."""
        same, apart = 0, len(self._published)
        while apart - same > 1 and not self._site.stop.is_set():
            middle = (same + apart) // 2
            differ = self._differ(way, middle)
            if differ is None:
                return
            same, apart = (same, middle) if differ else (middle, apart)


class _Pair:
    """Two lanes on one log."""

    def __init__(self, site: Site, name: str, schedule: Schedule, pace: Pace) -> None:
        self._site = site
        self._name = name
        self._schedule = schedule
        self._pace = pace
        self._lanes: list[Lane] = []
        self._log: list[tuple[Place, int]] = []
        self._shown: set[str] = set()

    def first(self, stack: ExitStack, way: _Way, published: Sequence[str]) -> Lane:
        """Start a service, and publish the log."""
        lane = Lane(self._site, self._name, ids=_IDS, twist=way.first)
        if way.order is not None:
            lane.names.turns.hold()
        lane.open()
        stack.callback(lane.close)
        lane.begin("log", self._schedule)
        for message in published:
            lane.publish(message)
        for event in lane.record.events():
            if event.event == "published":
                self._log.append(((lane.input_topic, event.partition), event.offset))
        if way.order is not None:
            runs = way.order[0](self._log)
            lane.loop.call(lambda: lane.names.turns.begin(runs))
        self._lanes.append(lane)
        return lane

    def second(self, stack: ExitStack, way: _Way) -> Lane:
        """Start another service on the same log, while the first one may still read it."""
        lane = Lane(
            self._site, f"{self._name}-again", on=self._lanes[0].namespace, ids=_IDS, twist=way.second
        )
        if way.order is not None:
            lane.names.turns.begin(way.order[1](self._log))
        lane.open()
        stack.callback(lane.close)
        lane.begin("log", self._schedule)
        self._lanes.append(lane)
        return lane

    def read(self) -> None:
        """Wait until both have read the log; raise ServiceError where that does not come about."""
        for lane in self._lanes:
            self._read(lane)

    def reports(self, patience: float) -> tuple[str, str]:
        """Return what both report, once that stands still; reports that differ are read again for a while."""
        began = since = time.monotonic()
        settles = self._pace.settles
        seen = self._both()
        while (now := time.monotonic()) - began < 2 * _PATIENCE * settles:
            if now - since >= settles and (seen[0] == seen[1] or now - began >= patience * settles):
                break
            self._site.stop.wait(_PULSE)
            if (later := self._both()) != seen:
                seen, since = later, time.monotonic()
        return seen

    def _both(self) -> tuple[str, str]:
        self._go_on()
        first, second = self._lanes
        return first.report(), second.report()

    def _go_on(self) -> None:
        if self._site.stop.is_set():
            raise Cancelled("the run was asked to stop")
        for part in (part for lane in self._lanes for part in lane.parts):
            if part.exited:
                raise ServiceError(f"{part.name} ended by itself: {part.subject.describe_exit()}")

    # -- read to its end

    def _read(self, lane: Lane) -> None:
        """Wait until a lane has read the log: fetched, and committed or, by contract, observed; raise ServiceError."""
        ends = {place: offset + 1 for place, offset in self._log}
        observed = lane.contract.progress.by == "observe"
        still = Still(lane)

        def over() -> bool:
            self._go_on()
            positions = lane.names.turns.positions
            if any(positions.get(place, 0) < end for place, end in ends.items()):
                return False
            if not observed:
                return not lane.namespace.depth(lane.readership.subscriptions)
            stands, least = still.since(), self._pace.settles
            # What the first one showed may be late here, or be what the service makes of another order.
            return stands >= (least if self._shown <= still.shown else _PATIENCE * least)

        if not lane.record.await_(over, self._pace.quiet, pulse=_PULSE):
            raise ServiceError(
                f"the log was not read to its end within {self._pace.quiet:g} s by {lane.label}"
            )
        self._shown = self._shown or still.shown


def _as_published(log: _Log) -> _Runs:
    """Serve record by record, in the order in which they came."""
    return [(place, offset + 1) for place, offset in log]


def _last_first(log: _Log) -> _Runs:
    """Serve partition by partition, each at once, the last one first."""
    return _by_partition(log)[::-1]


def _merged(log: _Log, seed: int) -> _Runs:
    """Serve record by record, each partition in its own order, and these mixed another way than they came."""
    return [*_mixed(log, random.Random(seed))]  # noqa: S311 - for variety, not for secrecy


def _mixed(log: _Log, chance: random.Random) -> Iterator[tuple[Place, int]]:
    waiting: dict[Place, list[int]] = {}
    for place, offset in log:
        waiting.setdefault(place, []).append(offset)
    while waiting:
        place = chance.choice(sorted(waiting))
        yield place, waiting[place].pop(0) + 1
        if not waiting[place]:
            del waiting[place]
