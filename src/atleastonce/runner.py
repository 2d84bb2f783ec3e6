"""Carries out one schedule in a lane and records what happened: the one place where all parts meet.

The order is always the same: snapshot, traps armed, actions, sentinel, quiet as a fact, snapshot. A deficit is
awaited for `settles` before the last snapshot stands (DESIGN section 4, rules 4 to 7).
"""

import time
from importlib import metadata

import msgspec

from atleastonce import canary, effects
from atleastonce.casting import outputs
from atleastonce.effects import Changes
from atleastonce.errors import Cancelled, ContractError, ServiceError, TransportError
from atleastonce.expectation import Expectation, Pace
from atleastonce.faults import FAULTS
from atleastonce.history import Event, Header, History, Moment, Observation
from atleastonce.lane import Lane
from atleastonce.ledger import Ledger
from atleastonce.schedule import SENTINEL, Schedule, Trap
from atleastonce.transports import Letter

_STILL_PULSE = 0.05
_STIRS = 10.0
"""How long a clean run that does not stand still, or shows no output, is watched, in seconds."""
_PATIENCE = 3
"""How many times a missing effect is awaited where the canary is late, too, before it stays unknown."""


def run(lane: Lane, case: str, schedule: Schedule, expected: Expectation) -> History:
    """Carry out a schedule and return its history; a lane that did not become quiet is spoiled."""
    return _Case(lane, case, schedule, expected.pace, expected).carried_out()


def run_clean(
    lane: Lane, case: str, schedule: Schedule, pace: Pace, moment: Moment
) -> tuple[Observation, History]:
    """Carry out a schedule without faults and return what it changed, once nothing moves any more."""
    history = _Case(lane, case, schedule, pace, None).carried_out()
    before, after = history.observed("before"), history.observed("faulty")
    failures = [event for event in history.events if not event.ok]
    if before is None or after is None or after.unreadable or before.unreadable or failures:
        reasons = [o.unreadable for o in (before, after) if o is not None and o.unreadable]
        reasons += [f"{event.event}: {event.note}" for event in failures]
        raise ServiceError(
            f"a clean run of {lane.service_name} failed ({'; '.join(reasons) or 'nothing was observed'}); "
            f"without one, nothing can be judged. The end of its log:\n{lane.subject.tail()}"
        )
    if moment == "clean-1" and (output := lane.contract.output) and (output.queues or output.topics):
        named = ", ".join((*output.queues, *output.topics))
        if not after.outputs:
            raise ContractError(
                f"output: nothing came out of {named} in a clean run, for {_STIRS:g} s; name where the outputs "
                "of these messages go, or leave [output] out"
            )
    changed: Changes = effects.changes(before.values, after.values, lane.contract.observe.ignore)
    return msgspec.structs.replace(after, observed=moment, values=changed), history


class _Case:
    """One schedule being carried out."""

    def __init__(
        self, lane: Lane, case: str, schedule: Schedule, pace: Pace, expected: Expectation | None
    ) -> None:
        self._lane = lane
        self._case = case
        self._schedule = schedule
        self._pace = pace
        self._expected = expected
        self._ends = lane.namespace.ends()
        self._ledger = Ledger(self._ends)
        self._read = 0
        self._letters: list[Letter] = []
        self._dead: list[Letter] = []

    def carried_out(self) -> History:
        lane = self._lane
        lane.begin(self._case, self._schedule)
        observations: list[Observation] = []
        try:
            observations.append(lane.observe("before", None, [], []))
            self._before = observations[0].values
            lane.relay.call(lambda: lane.relay.traps.arm(self._schedule.traps))
            if self._act() and self._quiet():
                observations.append(self._observed())
        except TransportError as exc:
            lane.note("recorder", ok=False, note=str(exc))
        except ServiceError as exc:
            lane.note("ready", ok=False, note=str(exc), service=lane.service_name)
        lane.relay.call(lambda: lane.relay.traps.arm(()))
        if lane.relay.failure is not None:
            lane.note("recorder", ok=False, note=repr(lane.relay.failure))
        events = lane.record.events()
        lane.spoiled = lane.spoiled or any(not event.ok for event in events)
        return self._history(events, observations)

    # -- actions

    def _act(self) -> bool:
        """Do every action and publish the sentinel; say whether every trap sprang."""
        for action in self._schedule.actions:
            self._go_on()
            if action.verb == "publish":
                self._lane.publish(action.target)
            elif action.verb == "start":
                if not self._start():
                    return False
            else:
                self._lane.subject.stop()
                self._lane.note("stop", service=action.target)
                self._lane.bury()
        if not self._sprung(self._schedule.traps):
            return False
        if not self._lane.subject.alive:
            self._lane.note(
                "ready", ok=False, note=self._lane.subject.describe_exit(), service=self._lane.service_name
            )
            return False
        if SENTINEL not in self._schedule.published:
            self._lane.publish(SENTINEL)
        return True

    def _start(self) -> bool:
        deadly = tuple(trap for trap in self._schedule.traps if FAULTS[trap.do].ends_service)
        if not self._sprung(deadly):
            return False
        if deadly or not self._lane.subject.alive:
            self._lane.bury()
            self._lane.start()
        return True

    def _sprung(self, traps: tuple[Trap, ...]) -> bool:
        """Wait until these traps have sprung; note the first that did not before all was settled."""
        relay, record = self._lane.relay, self._lane.record

        def over() -> bool:
            self._go_on()
            if not {*traps} & {*relay.traps.unsprung()} or not self._lane.subject.alive:
                return True
            # A service that acknowledges first may still be at work when all is settled.
            return record.idle() > self._pace.settles and self._settled()

        if traps:
            record.await_(over, self._pace.quiet)
            # Asked on the relay's thread: there, an event and the trap that waited behind it are one step.
            for trap in relay.call(relay.traps.unsprung):
                if trap in traps:
                    self._lane.note("unsprung", ok=False, note=trap.describe())
                    return False
        return True

    # -- quiet

    def _quiet(self) -> bool:
        """Wait until the system is quiet as a fact, and note it or the reason why not."""
        lane = self._lane

        def over() -> bool:
            self._go_on()
            return not lane.subject.alive or (self._settled() and self._sentinel_shown())

        reached = lane.record.await_(over, self._pace.quiet)
        if reached and lane.subject.alive:
            lane.note("quiet")
            return True
        lane.note("quiet", ok=False, note=self._why_not_quiet())
        return False

    def _settled(self) -> bool:
        """Tell whether every confirmed copy was settled by something that passed, and nothing waits."""
        self._read_record()
        if self._ledger.passed_on:
            self._collect()
            self._read_record()
        if self._ledger.unsettled() or self._ledger.unconfirmed:
            return False
        return not self._lane.namespace.depth(self._lane.subscriptions())

    def _sentinel_shown(self) -> bool:
        self._collect()
        if self._expected is None:
            return True
        wanted = sum(output.message == SENTINEL for output in self._expected.first.outputs)
        shown = outputs(self._lane.cast, self._letters)
        return sum(output.message == SENTINEL for output in shown) >= wanted

    def _why_not_quiet(self) -> str:
        if not self._lane.subject.alive:
            return self._lane.subject.describe_exit()
        unsettled = self._ledger.unsettled()
        if unsettled:
            return f"after {self._pace.quiet:g} s, not settled: {', '.join(unsettled)}"
        if self._ledger.unconfirmed:
            return f"after {self._pace.quiet:g} s, {self._ledger.unconfirmed} publications were not confirmed"
        depth = self._lane.namespace.depth(self._lane.subscriptions())
        return f"after {self._pace.quiet:g} s, {depth} messages wait and the sentinel's effect is " + (
            "shown" if self._sentinel_shown() else "not shown"
        )

    def _read_record(self) -> None:
        fresh = self._lane.record.since(self._read)
        self._read += len(fresh)
        self._ledger.feed(fresh)

    # -- the last snapshot

    def _observed(self) -> Observation:
        """Observe now; where something is missing, or nothing is known to expect, wait for `settles` first."""
        if self._expected is None:
            return self._when_still()
        seen = self._look()
        for _ in range(_PATIENCE):
            deadline = time.monotonic() + self._pace.settles
            while self._short(seen) and time.monotonic() < deadline:
                self._go_on()
                self._lane.record.wait(self._read, _STILL_PULSE)
                self._read_record()
                seen = self._look()
            if not self._short(seen):
                break
            in_time = self._canary_kept_its_time()
            seen = self._look()
            if in_time:
                break
        # What is missing may still come, and would then look like a surplus of the next case.
        self._lane.spoiled = self._lane.spoiled or self._short(seen)
        return seen

    def _when_still(self) -> Observation:
        """Observe until nothing has changed for `settles`: in a clean run, late effects are awaited too.

        What never stands still (a clock) is given up on after a while: the other clean run will differ there.
        Where outputs are declared and none has come, the first is awaited longer.
        """
        seen = self._look()
        began = since = time.monotonic()
        moved = self._lane.record.clock()
        patience = max(_STIRS, 5 * self._pace.settles)
        while (now := time.monotonic()) - began < patience and (
            now - since < self._pace.settles or self._nothing_out(seen)
        ):
            self._go_on()
            self._lane.record.wait(self._read, _STILL_PULSE)
            self._read_record()
            later = self._look()
            if self._moved(seen, later):
                since = time.monotonic()
                moved = self._lane.record.clock()
            seen = later
        self._lane.record.add(Event(event="still", t=moved))
        return seen

    def _nothing_out(self, seen: Observation) -> bool:
        """Tell whether outputs are declared and none was seen."""
        output = self._lane.contract.output
        return bool(output.queues or output.topics) and not seen.outputs

    def _moved(self, one: Observation, other: Observation) -> bool:
        """Tell whether two snapshots differ in what counts."""
        ignore = self._lane.contract.observe.ignore
        return bool(effects.changes(one.values, other.values, ignore)) or (
            (one.outputs, one.dead_letters) != (other.outputs, other.dead_letters)
        )

    def _look(self) -> Observation:
        self._collect()
        return self._lane.observe("faulty", None, self._letters, self._dead)

    def _collect(self) -> None:
        """Take what has come out, and note copies of ours among it: nothing more will become of them."""
        letters, dead = self._lane.namespace.outputs(), self._lane.namespace.dead_letters()
        self._letters += letters
        self._dead += dead
        for letter in (*letters, *dead):
            self._lane.check_in_time(letter)
            message, copy = self._lane.cast.copy_again(letter)
            if copy is not None:
                at = self._lane.record.clock()
                self._lane.record.add(
                    Event(event="arrived", t=at, message=message, copy=copy, queue=letter.queue)
                )

    def _short(self, seen: Observation) -> bool:
        """Tell whether something that a clean run shows is not there (yet)."""
        assert self._expected is not None  # noqa: S101 - clean runs wait for stillness instead
        if seen.unreadable:
            return True
        if self._expected.unstable:
            return False  # nothing that could be awaited would prove anything
        differences = effects.compare(
            self._expected.first, seen, self._before, self._lane.contract.observe.ignore
        )
        return any(difference.kind != "surplus" for difference in differences)

    def _canary_kept_its_time(self) -> bool:
        """Let a process of our own go through the same broker on the same machine, and note whether it was late."""
        allowed = canary.ALLOWED * self._pace.canary + canary.GRACE
        took = canary.measure(self._lane.site.canary, self._lane.site.environment({}), within=allowed)
        found = "not back in time" if took is None else f"took {took:.2f} s"
        self._lane.note("canary", ok=took is not None, note=f"{found}, allowed {allowed:.2f} s")
        return took is not None

    # -- the rest

    def _go_on(self) -> None:
        if self._lane.site.stop.is_set():
            raise Cancelled("the run was asked to stop")

    def _history(self, events: tuple[Event, ...], observations: list[Observation]) -> History:
        lane = self._lane
        clean = (self._expected.first, self._expected.second) if self._expected else ()
        before, rest = observations[:1], observations[1:]
        return History(
            header=Header(
                contract=lane.site.contract.sha256,
                contract_file=str(lane.site.contract.path.resolve()),
                contract_text=lane.site.contract.text,
                schedule=self._schedule,
                seed=self._schedule.seed,
                broker=lane.contract.broker.kind,
                settings=dict(lane.site.settings),
                versions={"atleastonce": metadata.version("atleastonce")},
                services=(lane.service_name,),
                declared={"ignore": list(lane.contract.observe.ignore), "ends": list(self._ends)},
            ),
            events=events,
            observations=(*before, *clean, *rest),
        )
