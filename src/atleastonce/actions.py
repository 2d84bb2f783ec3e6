"""Does what a schedule says, action by action, and starts services again that end by themselves."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from atleastonce import canary
from atleastonce.durations import Duration
from atleastonce.errors import Cancelled, ServiceError
from atleastonce.expectation import Pace
from atleastonce.faults import FAULTS
from atleastonce.lane import Lane
from atleastonce.part import Part
from atleastonce.schedule import SENTINEL, Schedule, Trap, is_of
from atleastonce.sending import Sending
from atleastonce.standing import Standing
from atleastonce.transports import Subscription

_HEALTHY = range(200, 300)
_MOMENT = 0.2
_MOMENTS = 2.0
"""How long nothing passes before all is taken to be out, in seconds; and how long that is awaited, in `settles`."""


class Actor:
    """Carries out the actions of one schedule in one lane."""

    def __init__(self, lane: Lane, schedule: Schedule, pace: Pace, standing: Standing) -> None:
        self._lane = lane
        self._schedule = schedule
        self._pace = pace
        self._standing = standing
        self._sending = Sending(lane)
        self._ended = 0
        self._starting: list[Part] = []
        self._pauses = tuple(trap for trap in schedule.traps if trap.do == "pause")
        self._do: dict[str, Callable[[str], bool]] = {
            "publish": self._publish,
            "burst": self._burst,
            "start": self._start,
            "stop": self._stop,
            "cut": self._cut,
            "isolate": self._isolate,
            "mend": self._mend,
            "restart": self._restart,
            "unroute": self._unroute,
            "reroute": self._reroute,
            "wait": self._wait,
            "rewind": self._rewind,
            "forget": self._forget,
            "abort": self._abort,
            "rebalance": self._rebalance,
        }

    def act(self) -> bool:
        """Do every action and publish the sentinel; say whether every trap sprang and every copy was taken."""
        for action in self._schedule.actions:
            self.go_on()
            if action.verb != "start":
                self._sending.await_answer()
            if not self._do[action.verb](action.target):
                return False
        if not self._sprung(self._schedule.traps):
            return False
        self._await_ready()
        if down := [part for part in self._lane.parts if part.down]:
            self._lane.note(
                "ready", ok=False, note=f"{down[0].name} was not started again", service=down[0].name
            )
            return False
        if SENTINEL not in self._schedule.published:
            self._sending.await_answer()
            self._publish(SENTINEL)
        return True

    def go_on(self) -> None:
        """Raise Cancelled where the run shall end, and Looped where the case goes round in circles.

        Services that ended by themselves are started again, as any platform does.
        """
        if self._lane.site.stop.is_set():
            raise Cancelled("the run was asked to stop")
        self._supervise()
        self._standing.check_loops()

    def all_taken(self) -> bool:
        """Send again what got no answer, now and then; say whether nothing is left of it."""
        return self._sending.all_taken()

    def canary_kept_its_time(self) -> bool:
        """Let a process of our own go through the same broker on the same machine, and note whether it was late."""
        site, allowed = self._lane.site, canary.ALLOWED * self._pace.canary + canary.GRACE
        took = canary.measure(site.canary, site.environment({}), within=allowed)
        found = "not back in time" if took is None else f"took {took:.2f} s"
        self._lane.note("canary", ok=took is not None, note=f"{found}, allowed {allowed:.2f} s")
        return took is not None

    # -- messages

    def _publish(self, message: str) -> bool:
        """Publish it; where a service is killed meanwhile, it is started again before whoever asks it has given up."""
        self._lane.readership.await_whole(self._lane.record, self._out_of_reach, self._pace.deadline)
        deadly = tuple(each for each in self._schedule.traps if each.do == "kill" and each.about == message)
        if deadly:
            self._sending.publish_until(lambda: self._have_sprung(deadly), message, self._pace.quiet)
        else:
            self._sending.publish(message)
        # What follows is for others, which go on while this one is handled.
        self._await_sprung(tuple(trap for trap in self._pauses if trap.about == message))
        return True

    def _out_of_reach(self) -> bool:
        self.go_on()
        return any(part.down or part.isolated for part in self._lane.parts)

    def _burst(self, message: str) -> bool:
        self._sending.burst(message)
        return True

    def _abort(self, message: str) -> bool:
        self._lane.abort(message)
        return True

    def _unroute(self, queue: str) -> bool:
        self._collect_all()  # what lies in it goes with it
        self._lane.namespace.unroute(queue)
        self._lane.note("unrouted", queue=queue)
        return True

    def _reroute(self, queue: str) -> bool:
        self._lane.namespace.reroute(queue)
        self._lane.note("rerouted", queue=queue)
        self.all_taken()
        return True

    def _wait(self, duration: str) -> bool:
        self._standing.note_depths()
        self._lane.site.stop.wait(float(Duration.parse(duration)))
        self._lane.note("waited", note=duration)
        return True

    # -- services

    def _stop(self, service: str) -> bool:
        for part in self._lane.of(service):
            part.stop()
        return True

    def _start(self, service: str) -> bool:
        """Start what is down, once the traps that end it have sprung; what follows need not await all of ready.

        Where all of it is down already, none can spring before: such a trap waits for the start itself.
        """
        parts = self._lane.of(service)
        deadly = tuple(
            trap
            for trap in self._schedule.traps
            if FAULTS[trap.do].ends_service and (not trap.service or is_of(trap.service, service))
        )
        if not all(part.down for part in parts) and not self._sprung(deadly):
            return False
        started = [part for part in parts if part.down]
        for part in started:
            part.bury()
        if any(action.verb == "stop" for action in self._schedule.actions):
            self._standing.note_depths()
        for part in started:
            part.spawn()
        for part in started:
            part.await_subscribed()
        self._lane.await_every_partition()
        self._starting += (part for part in started if part not in self._starting)
        self.all_taken()
        return True

    def _await_ready(self) -> None:
        """Wait until every service that was started is ready; one that ends meanwhile is started again."""
        while self._starting:
            self.go_on()
            part = self._starting.pop()
            try:
                part.await_ready()
            except ServiceError:
                if not part.exited:
                    raise

    def _supervise(self) -> None:
        for part in self._lane.parts:
            if part.exited and not part.isolated:
                part.note("exit", note=part.subject.exit_words)
                part.down = True
                self._ended += 1
                self._standing.note_exit(part.name)
                part.bury()
                part.spawn()
                self._starting.append(part)
                try:
                    part.await_subscribed()
                except ServiceError:
                    if part.subject.alive:
                        raise

    # -- offsets, and the group

    def _rebalance(self, service: str) -> bool:
        """Let a second member join once all was handed over and nothing passes: what is done may not be settled."""
        self._lane.record.await_(lambda: self._standing.handed_over(_MOMENT), _MOMENTS * self._pace.settles)
        could = self._lane.namespace.rebalance(self._lane.readership.subscriptions)
        self._lane.note("rebalanced", service=service, note="" if could else "it takes no other member")
        return True

    def _rewind(self, service: str) -> bool:
        self._collect_all()  # what comes again has been done before
        return self._stop(service) and self._moved("rewound", service, self._lane.namespace.rewind)

    def _forget(self, service: str) -> bool:
        up = any(not part.down for part in self._lane.of(service))
        return (not up or self._stop(service)) and self._moved(
            "forgotten", service, self._lane.namespace.forget
        )

    def _moved(
        self, event: str, service: str, move: Callable[[Collection[Subscription], Mapping[int, int]], None]
    ) -> bool:
        """Move the offsets of a service that is down, which may leave what comes again alone: no group reads it now.

        A broker refuses that for a group with members, and a static one is none only once it was away for long.
        """
        for part in self._lane.of(service):
            part.bury(for_good=True)
        first: dict[int, int] = {}
        for each in self._lane.record.events():
            if each.event == "published" and each.offset >= 0:
                first.setdefault(each.partition, each.offset)
        move(self._lane.readership.subscriptions, first)
        self._lane.note(event, service=service)
        return True

    # -- links

    def _cut(self, service: str) -> bool:
        for part in self._lane.of(service):
            part.cut()
        return True

    def _isolate(self, service: str) -> bool:
        for part in self._lane.of(service):
            if (status := part.health()) is not None:
                part.note("health", size=status)
            part.note("isolated", size=part.cut(refuse=True))
        self._await_health(service, healthy=False)
        for part in self._lane.of(service):
            part.await_refused()
        return True

    def _mend(self, service: str) -> bool:
        for part in self._lane.of(service):
            part.mend()
            part.note("mended")
        self._supervise()  # one without a health endpoint, too
        self._await_health(service, healthy=True)
        self.all_taken()
        return True

    def _await_health(self, service: str, *, healthy: bool) -> None:
        """Note what the health endpoints say until all say so, or the deadline passes: then the canary flies.

        A service that has ended by itself meanwhile has the time once more: it could not say anything.
        """
        waiting = [part for part in self._lane.of(service) if part.service.health]
        said: dict[str, int] = {}

        def all_say_so() -> bool:
            self.go_on()  # one that has ended says nothing until it is started again
            for part in waiting:
                status = part.health() or 0
                if said.get(part.name) != status:
                    said[part.name] = status
                    part.note("health", size=status)
            return all((said[part.name] in _HEALTHY) is healthy for part in waiting)

        while waiting:
            ended = self._ended
            if self._lane.record.await_(all_say_so, self._pace.health, pulse=0.05):
                return
            if ended == self._ended:
                self.canary_kept_its_time()
                return

    def _restart(self, _broker: str) -> bool:
        assert self._lane.site.restart is not None  # noqa: S101 - such schedules are not planned
        self._collect_all()  # an output that is not persistent would be gone with the restart
        self._lane.site.restart()
        self._lane.namespace.reopen()
        self._lane.note("broker-restarted")
        return True

    def _collect_all(self) -> None:
        """Take what has come out, once what was sent is settled and nothing has passed for a moment."""
        record = self._lane.record
        record.await_(
            lambda: record.idle() > _MOMENT and self._standing.settled(), _MOMENTS * self._pace.settles
        )
        self._standing.collect()

    # -- traps

    def _sprung(self, traps: tuple[Trap, ...]) -> bool:
        """Wait until these traps have sprung; note the first that did not before all was settled."""
        if traps:
            self._await_sprung(traps)
            self._let_others_go_on()
            self._lane.write_points.end()
            for trap in (each for each in self._lane.unsprung() if each in traps):
                # Where a walk ends there, that is no failure.
                self._lane.note("unsprung", ok=self._schedule.may_miss(trap), note=trap.describe())
                if not trap.is_write:
                    return False
        return True

    def _await_sprung(self, traps: tuple[Trap, ...]) -> None:
        """Wait until these traps have sprung, or all is settled."""
        record = self._lane.record

        def over() -> bool:
            self.go_on()
            if self._have_sprung(traps):
                return True
            # A service that acknowledges first may still be at work when all is settled.
            taken = self.all_taken()
            return taken and record.idle() > self._pace.settles and self._standing.settled()

        if traps:
            record.await_(over, self._pace.quiet)

    def _have_sprung(self, traps: tuple[Trap, ...]) -> bool:
        return not {*traps} & {*self._lane.traps.unsprung()}

    def _let_others_go_on(self) -> None:
        """Wait until all is settled but what is handled where a service stands still; it may hold others up."""
        held = {trap.about for trap in {*self._pauses} - {*self._lane.unsprung()}}

        def settled() -> bool:
            self.go_on()
            self._standing.read()
            unsettled = (copy.partition("#")[0] for copy in self._standing.ledger.unsettled())
            return Counter(unsettled) <= Counter(held)

        if held:
            self._lane.record.await_(settled, _MOMENTS * self._pace.settles)
