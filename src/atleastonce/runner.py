"""Carries out one schedule in a lane and records what happened: the one place where all parts meet.

The order is always the same: snapshot, traps armed, actions, sentinel, quiet as a fact, snapshot. A deficit is
awaited for `settles` before the last snapshot stands (DESIGN section 4, rules 4 to 7).
"""

import re
import time
from typing import Any

import msgspec

from atleastonce import effects
from atleastonce.actions import Actor
from atleastonce.checks.signs import failure
from atleastonce.contract import OutputTable
from atleastonce.effects import Changes
from atleastonce.errors import ContractError, ServiceError, TransportError
from atleastonce.expectation import Expectation, Pace, Patience
from atleastonce.heading import header, promised
from atleastonce.history import Event, History, Moment, Observation
from atleastonce.lane import Lane
from atleastonce.schedule import Schedule
from atleastonce.standing import Looped, Standing, sentinels

_THEIRS = ("request", "response", "confirm")
"""What services ask and are answered is theirs to deal with, an error too: Kafka's clients ask again by themselves."""
_LOG = re.compile(r"(;| or see) the end of its log:\n.*", re.DOTALL)
_STILL_PULSE = 0.05
_STIRS = 10.0
"""How long a clean run that does not stand still, or shows no output, is watched, in seconds."""
_LOOKS = 4
"""How many looks that is at least: a command for each message may take seconds."""
_PATIENCE = 3
"""How many times something missing is awaited where the canary is late, too, before it stays unknown."""


def run(lane: Lane, case: str, schedule: Schedule, expected: Expectation) -> History:
    """Carry out a schedule and return its history; a lane that did not become quiet is spoiled."""
    return _Case(lane, case, schedule, expected.pace, expected).carried_out()


def run_clean(lane: Lane, case: str, schedule: Schedule, pace: Pace) -> History:
    """Carry out a schedule without faults until nothing moves any more, and return its history."""
    return _Case(lane, case, schedule, pace, None).carried_out()


def changed(lane: Lane, history: History, moment: Moment) -> Observation:
    """Return what a clean run changed; raise ServiceError or ContractError where it is none."""
    before, after = history.observed("before"), history.observed("faulty")
    why = failures(history)
    if before is None or after is None or why:
        raise ServiceError(
            f"a clean run of {lane.label} failed ({why or 'nothing was observed'}); without one, nothing can be "
            f"judged. The end of its log:\n{lane.tail()}"
        )
    if moment == "clean-1":
        told_apart(lane.contract.output, after)
    changes: Changes = effects.changes(before.values, after.values, lane.contract.observe.ignore)
    return msgspec.structs.replace(after, observed=moment, values=changes)


def failures(history: History) -> str:
    """Say why a clean run is none; empty where it is one. What a log says of it is left out: its end follows."""
    seen = (history.observed("before"), history.observed("faulty"))
    reasons = [each.unreadable for each in seen if each is not None and each.unreadable]
    reasons += [failure(event) for event in history.failed if event.event not in _THEIRS]
    return "; ".join(dict.fromkeys(_LOG.sub("", each) for each in reasons))


def told_apart(output: OutputTable, seen: Observation) -> None:
    """Raise ContractError where outputs are declared and none came, or none has what is declared to be its id."""
    named = ", ".join((*output.queues, *output.topics))
    if named and not seen.outputs:
        letters = len(seen.dead_letters)
        aside = (
            f"; {letters} lie in {output.dead_letters}: does the service take them for poison?"
            if letters
            else ""
        )
        raise ContractError(
            f"output: nothing came out of {named} in a clean run, for {_STIRS:g} s{aside}; name where the outputs "
            "of these messages go, or leave [output] out"
        )
    if output.id and seen.outputs and all(each.id is None for each in seen.outputs):
        raise ContractError(
            f"output.id: none of {len(seen.outputs)} outputs of a clean run, in {named}, has {output.id!r}; name "
            "what makes two of them the same one, or leave it out, so that every output counts"
        )


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
        self._standing = Standing(lane, schedule, pace.settles)
        self._actor = Actor(lane, schedule, pace, self._standing)
        self._in_vain = 0.0
        self._settled_since: float | None = None
        self._is_shown = False
        self._draining = any(action.verb == "stop" for action in schedule.actions)

    def carried_out(self) -> History:
        lane = self._lane
        lane.begin(self._case, self._schedule)
        observations = [self._seen_before()]
        self._before = observations[0].values
        try:
            lane.arm(self._schedule.traps)
            if self._actor.act():
                quiet = self._quiet()
                observations.append(self._observed() if quiet else self._standing.look())
        except Looped as exc:
            self._actor.canary_kept_its_time()
            lane.note("looped", ok=False, note=str(exc), service=exc.service, copy=exc.copy)
            observations += self._last_look()
        except TransportError as exc:
            lane.note("recorder", ok=False, note=str(exc))
        except ServiceError as exc:
            lane.note("ready", ok=False, note=str(exc), service=lane.label)
        lane.arm(())
        if lane.loop.failure is not None:
            lane.note("recorder", ok=False, note=repr(lane.loop.failure))
        events = lane.record.events()
        lane.spoiled = lane.spoiled or any(_spoils(event) for event in events)
        return self._history(events, observations)

    def _seen_before(self) -> Observation:
        """Observe; a service that is up may have nothing but 5xx to say for as long as it may take to get ready."""
        seen: list[Observation] = []

        def readable() -> bool:
            self._actor.go_on()
            seen[:] = [self._lane.observe("before")]
            return not seen[0].unreadable

        within = max(float(part.service.ready_within) for part in self._lane.parts)
        try:
            self._lane.record.await_(readable, within, pulse=0.1)
        except Looped as exc:  # it loops when the schedule is acted, too: that is where a case is given up
            return Observation(observed="before", unreadable=str(exc))
        return seen[0]

    def _last_look(self) -> list[Observation]:
        """Observe what a case that was given up has left, where that can be seen."""
        try:
            return [self._standing.look()]
        except TransportError:
            return []

    # -- quiet

    def _quiet(self) -> bool:
        """Wait until the system is quiet as a fact, and note it or the reason why not; tell whether all is settled.

        A deadline that passes while the canary is late says nothing, nor does one that passes while messages are
        settled, unless the contract has named it: quiet is awaited again.
        """
        lane, limit = self._lane, self._limit()
        self._standing.read()
        patience = Patience(self._open, steady=self._pace.named and not self._schedule.only_publishes)
        began = lane.record.clock()
        while not lane.record.await_(self._is_over, limit):
            if not patience.more(self._open, self._actor.canary_kept_its_time):
                break
        if self._is_shown:
            if self._draining:  # the last ones may have gone all at once
                self._standing.note_depths()
            lane.note("quiet")
        else:
            why = self._standing.why_not_quiet(lane.record.clock() - began, self._wanted)
            lane.note("quiet" if self._settled_since is None else "unshown", ok=False, note=why)
        return self._settled_since is not None

    def _is_over(self) -> bool:
        """Tell whether all is settled, and the sentinel's effect shown, or missing for long enough."""
        self._actor.go_on()
        if self._draining:
            self._standing.note_depths()
        if not (self._actor.all_taken() and self._standing.settled()):
            self._settled_since, self._is_shown = None, False
            return False
        now = self._lane.record.clock()
        self._settled_since = now if self._settled_since is None else self._settled_since
        self._is_shown = self._standing.shown(self._wanted)
        # For as long as anything else: a sentinel that comes late is no reason to doubt all the others.
        return self._is_shown or now - self._settled_since >= max(self._pace.patience, self._limit())

    @property
    def _open(self) -> int:
        """How many copies nothing has settled for good."""
        return len(self._standing.ledger.unsettled())

    def _limit(self) -> float:
        """Return how long quiet is awaited: behind a fault, as the promises say."""
        return self._pace.quiet if self._schedule.only_publishes else self._pace.deadline

    @property
    def _wanted(self) -> int:
        """How many outputs of the sentinel a clean run shows."""
        if self._expected is None:
            return 0
        return sentinels(self._expected.first.outputs)

    # -- the last snapshot

    def _observed(self) -> Observation:
        """Observe now; where something is missing, or nothing is known to expect, wait for that first."""
        if self._expected is None:
            return self._when_still()
        seen = self._standing.look()
        patience = self._pace.patience
        for _ in range(_PATIENCE):
            deadline = time.monotonic() + patience
            while self._short(seen) and time.monotonic() < deadline:
                self._actor.go_on()
                self._standing.wait(_STILL_PULSE)
                seen = self._standing.look()
            if not self._short(seen):
                break
            in_time = self._actor.canary_kept_its_time()
            seen = self._standing.look()
            if in_time:
                break
        # What is missing may still come, and would then look like a surplus of the next case.
        if self._short(seen):
            self._lane.spoiled, self._in_vain = True, patience
        return seen

    def _when_still(self) -> Observation:
        """Observe until nothing has changed for `settles`: in a clean run, late effects are awaited too.

        What never stands still (a clock, an age) is given up on after a while, and told: it proves nothing, even where
        the other clean run, watched as long, has moved as far.
        Where outputs are declared and none has come, the first is awaited longer.
        """
        looked = time.monotonic()
        seen = self._standing.look()
        moving: dict[str, float] = {}
        began = since = time.monotonic()
        moved = self._lane.record.clock()
        patience = max(_STIRS, 5 * self._pace.settles, _LOOKS * (began - looked))
        while (now := time.monotonic()) - began < patience and (
            now - since < self._pace.settles or self._nothing_out(seen)
        ):
            self._actor.go_on()
            self._standing.wait(_STILL_PULSE)
            later = self._standing.look()
            if paths := self._moved(seen, later):
                since = time.monotonic()
                moved = self._lane.record.clock()
                moving |= dict.fromkeys(paths, since)
            seen = later
        settled = time.monotonic() - self._pace.settles
        if since <= settled:
            self._lane.record.add(Event(event="still", t=moved))
            return seen
        late = tuple(path for path, at in moving.items() if at > settled)
        return msgspec.structs.replace(seen, moving=late)

    def _nothing_out(self, seen: Observation) -> bool:
        """Tell whether outputs are declared and none was seen."""
        output = self._lane.contract.output
        return bool(output.queues or output.topics) and not seen.outputs

    def _moved(self, one: Observation, other: Observation) -> tuple[str, ...]:
        """Return where two snapshots differ in what counts."""
        same = (one.outputs, one.dead_letters) == (other.outputs, other.dead_letters)
        paths = effects.changes(one.values, other.values, self._lane.contract.observe.ignore)
        return (*paths, *(() if same else ("what comes out",)))

    def _short(self, seen: Observation) -> bool:
        """Tell whether something that a clean run shows, or a poison's dead letter, is not there (yet)."""
        assert self._expected is not None  # noqa: S101 - clean runs wait for stillness instead
        if seen.unreadable:
            return True
        letters = {letter.message for letter in seen.dead_letters}
        if self._lane.contract.output.dead_letters and not letters >= {*self._schedule.poisons}:
            return True
        if self._expected.restless:
            return False  # nothing that could be awaited would prove anything
        differences = effects.compare(
            self._expected.first, seen, self._before, self._lane.contract.observe.ignore
        )
        # Services that ask each other may take back what was done too often; a broker's consumer has done it.
        chained = any(relay.to for part in self._lane.parts for relay in part.relays)
        declined = {event.message for event in self._lane.record.events() if event.event == "declined"}
        return any(
            difference.message not in declined
            and (difference.kind != "surplus" or chained)
            and (difference.message or difference.kind == "surplus" or not declined)
            for difference in differences
        )

    # -- the rest

    def _history(self, events: tuple[Event, ...], observations: list[Observation]) -> History:
        clean = (self._expected.first, self._expected.second) if self._expected else ()
        before, rest = observations[:1], observations[1:]
        return History(
            header=msgspec.structs.replace(
                header(self._lane.site, self._schedule, self._declared()), in_vain=self._in_vain
            ),
            events=events,
            observations=(*before, *clean, *rest),
        )

    def _declared(self) -> dict[str, Any]:
        """Return what checks need of the contract (`history.Header`)."""
        contract = self._lane.contract
        return {
            "ignore": list(contract.observe.ignore),
            "ends": list(self._standing.ends),
            "between": list(self._standing.between),
            "dead_letters": contract.output.dead_letters,
            "own_poison": bool(contract.poison),
            "promised": promised(contract, self._pace),
            "keys": self._lane.cast.keys(),
            "expires": dict(self._lane.readership.expires),
            "volatile": self._lane.readership.volatile,
            "only_queues": dict(self._lane.only_queues),
        }


def _spoils(event: Event) -> bool:
    """Tell whether what may still come of an event could be taken for something of the next case."""
    if event.event in ("exit", "declined"):  # what was begun for an order that failed may still be taken back
        return True
    return not event.ok and event.event not in _THEIRS
