"""A lane: a namespace on the broker, and the services of the contract in it, each behind a relay of its own."""

import itertools
import random
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Self

from atleastonce import templates
from atleastonce.asking import Asking, Pending, Sent
from atleastonce.assembly import Assembly
from atleastonce.casting import Cast
from atleastonce.errors import ContractError, ObservationError
from atleastonce.history import Event, Moment, Observation, Output
from atleastonce.layout import Site
from atleastonce.observe.command import CommandObserver
from atleastonce.observe.http import HttpObserver
from atleastonce.part import Part
from atleastonce.readership import TELLING, Readership
from atleastonce.recording import Record
from atleastonce.relay.codec import Names
from atleastonce.relay.loop import Loop
from atleastonce.relay.traps import Traps
from atleastonce.schedule import BURST, Schedule, Trap, is_of
from atleastonce.sights import Sights
from atleastonce.subjects.process import own_environment
from atleastonce.transports import Letter, Namespace
from atleastonce.transports.http import HttpEntry, method_and_address
from atleastonce.write_points import WritePoints

_EVERY_PARTITION = 2.0
"""Seconds for which a service that reads some partitions of its input may take to read them all."""
_PLAIN: Mapping[str, str] = MappingProxyType({})


class Lane:
    """The services behind their relays, between `open` and `close`. Used by one thread; its loop is one more.

    `on` is the namespace of another lane, whose log this one reads again; `ids` is what the ids of messages are
    made from, in place of run and lane: lanes with the same send the same. `twist` is more environment for the
    services.
    """

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        on: Namespace | None = None,
        ids: str = "",
        twist: Mapping[str, str] = _PLAIN,
    ) -> None:
        self.site = site
        self.name = name
        self.twist = twist
        self._on = on
        self._ids = ids or f"{site.run}/{name}"
        self.contract = site.contract.contract
        self.record = Record()
        self.names = Names(site.ids)
        self.traps = Traps()
        self.spoiled = False
        self._used = False
        self.parts: tuple[Part, ...] = ()
        # Numbers that nothing else is likely to be, so that they can be told wherever they turn up.
        first = 1_000_000_001 + random.Random(self._ids).randrange(1_000_000_000)  # noqa: S311 - no secret
        self._numbers = itertools.count(first)
        self._observer = HttpObserver()
        self.readership = Readership()
        self._reads_all = True
        self._seen: set[tuple[str, str | None]] = set()
        self._stack = ExitStack()
        self._asking: Asking | None = None
        self.cast: Cast
        self.namespace: Namespace

    def open(self) -> Self:
        """Make the namespace, start relays and services, and wait until they are ready; raise AtLeastOnceError."""
        with ExitStack() as stack:
            stack.callback(self._observer.close)
            own = self._on.again(f"{self._on.name}-again") if self._on else self.site.namespace(self.name)
            self.namespace = stack.enter_context(own)
            self.loop = stack.enter_context(Loop(f"relays of {self.name}"))
            self.write_points = WritePoints(self.loop, self.traps, self.record, self.site.environment({}))
            stack.callback(self.write_points.end)
            assembly = Assembly(self, self._observer, stack)
            self.parts = assembly.parts()
            self._open_entry(assembly, stack)
            environment = self.site.environment(own_environment())
            first = self.parts[0].runtime
            self._sights = Sights(self.site.contract, first, environment, self._observer, stack)
            deadline = time.monotonic() + max(float(part.service.ready_within) for part in self.parts)
            for part in self.parts:
                part.spawn()
            for part in self.parts:
                part.await_ready()
                part.await_health()
            self._await_every_queue()
            self.await_every_partition()
            self._prepare(deadline)
            self.readership.delayed(self.namespace.delays())
            self.only_queues = self.namespace.only_queues()
            consumed = {each.queue for each in self.readership.subscriptions}
            self.names.taps = frozenset(consumed & {*self.contract.output.queues})
            self._stack = stack.pop_all()
        return self

    def _await_every_queue(self) -> None:
        """Wait until all is consumed that other lanes consume: what an exchange has for the rest would be lost."""
        readers = [part for part in self.parts if part.must_subscribe]
        if readers:
            self.site.extent.await_(
                self.readership,
                self.record,
                lambda: self.site.stop.is_set() or not all(part.subject.alive for part in readers),
                told=all(part.service.ready for part in readers),
            )

    def await_every_partition(self) -> None:
        """Wait until every partition of the input is read: who begins at the end would miss what comes before that.

        One that does not read them all the first time is not awaited again; several services, or instances, never.
        """
        topic = self.contract.topics.get(self.contract.input.topic)

        def all_read() -> bool:
            read = self.names.turns.reading(self.input_topic)
            return (
                topic is None or not read or len(read) >= topic.partitions or not self.parts[0].subject.alive
            )

        if len(self.parts) == 1 and self._reads_all:
            self._reads_all = self.record.await_(all_read, _EVERY_PARTITION)

    def close(self) -> None:
        """End the services and the relays, and remove the namespace; a lane is closed once."""
        self._stack.close()

    # -- one case

    def begin(self, case: str, schedule: Schedule) -> None:
        """Give the messages of a schedule their ids, and start an empty record.

        What came out before the first case of a lane is late for none: a service may tell again, as it starts, what
        it finds in a database that it had in an earlier lane.
        """
        self.cast = Cast(f"{self._ids}/{case}", schedule, self.contract, self._numbers, self.names)
        stale = [*self.outputs(), *self.namespace.dead_letters()]
        self.record.begin()
        if self._asking is not None:
            self._asking.begin()
        for letter in stale:
            if self._used:
                self.check_in_time(letter, stale=True)
            else:
                self._seen.add(self._mark(letter))
        self._used = True

    def arm(self, traps: tuple[Trap, ...]) -> None:
        """Replace every trap."""
        self.loop.call(lambda: self.traps.arm(traps))
        self.write_points.end()

    def unsprung(self) -> tuple[Trap, ...]:
        """Return the traps that still wait, asked where an event and the trap behind it are one step."""
        return self.loop.call(self.traps.unsprung)

    def note(self, event: str, *, copy: str = "", **facts: Any) -> None:
        """Record something that the runner did or found; `facts` are fields of the event."""
        message = copy.partition("#")[0] or None
        self.record.add(
            Event(event=event, t=self.record.clock(), message=message, copy=copy or None, **facts)
        )

    def publish(self, message: str) -> Pending | None:
        """Publish one more copy of a message; return it where it has to be sent again until it is taken."""
        if self._asking is not None:
            return self._asking.ask(self._pending(message))
        copy, envelope = self.cast.next_copy(message)
        receipt = self.namespace.publish(envelope)
        self.note(
            "published",
            copy=copy,
            partition=receipt.partition,
            offset=receipt.offset,
            ok=receipt.confirmed,
            note=receipt.note,
        )
        return None

    def send(self, message: str) -> Sent | None:
        """Send one more copy of a message over HTTP, and return at once; None where messages come by a broker."""
        return self._asking.send(self._pending(message)) if self._asking is not None else None

    def take(self, sent: Sent) -> Pending | None:
        """Wait for the answer to what was sent; return it where it has to be sent again until it is taken."""
        assert self._asking is not None  # noqa: S101 - only what was sent so is under way
        return self._asking.take(sent)

    def burst(self, message: str) -> list[Pending]:
        """Send copies of a message over HTTP at the same time; return those that have to be sent again."""
        assert self._asking is not None  # noqa: S101 - such schedules are for contracts with input.http
        return self._asking.at_once([self._pending(message) for _ in range(BURST)])

    def abort(self, message: str) -> None:
        """Send one more copy of a message in a transaction, and abort that: nothing is owed, nobody is to see it."""
        copy, envelope = self.cast.next_copy(message)
        self.namespace.abort(envelope)
        self.note("aborted", copy=copy)

    def ask(self, pending: Pending) -> Pending | None:
        """Send a copy once more over HTTP; return it where the answer says neither yes nor no."""
        assert self._asking is not None  # noqa: S101 - only what was published so is pending
        return self._asking.ask(pending)

    def _pending(self, message: str) -> Pending:
        copy, envelope = self.cast.next_copy(message)
        return Pending(message, copy, envelope, poison=self.cast.messages[message].poison is not None)

    def check_in_time(self, letter: Letter, *, stale: bool = False) -> None:
        """Note an output of an earlier case that was not seen then; one that is repeated does no harm."""
        mark = self._mark(letter)
        if mark[1] is None or mark not in self._seen:
            if stale or self.cast.late(letter):
                self.note("late", ok=False, note=f"an output in {letter.queue}")
            self._seen.add(mark)

    def _mark(self, letter: Letter) -> tuple[str, str | None]:
        """Return what an output is known again by, if it has an id."""
        output = self.cast.output(letter)
        return output.queue, output.id

    def outputs(self) -> list[Letter]:
        """Take what has come out since: from the queues, or on its way to those that a service here consumes."""
        found = []
        while self.names.tapped:
            queue, body, properties = self.names.tapped.popleft()
            fields = {key: value for key, value in dict(properties or ()).items() if value is not None}
            headers = fields.pop("headers", None) or {}
            found.append(Letter(queue, body, fields, headers))
        return found + self.namespace.outputs(self.names.taps)

    def observe(
        self, moment: Moment, found: Iterable[Output] = (), dead: Iterable[Output] = ()
    ) -> Observation:
        """Return an observation, with what came out until now."""
        at = self.record.clock()
        try:
            seen = self._sights.snapshot(self.cast, unused=moment == "before")
        except ObservationError as exc:
            return Observation(observed=moment, at=at, unreadable=str(exc))
        return Observation(
            observed=moment,
            at=at,
            values=seen,
            outputs=tuple(found),
            dead_letters=tuple(dead),
        )

    def unmoved(self, changed: Collection[str]) -> tuple[str, ...]:
        """Return what is observed where none of these paths lies."""
        return self._sights.unmoved(self.cast, changed)

    def report(self) -> str:
        """Return what the first service reports of the log, as it is but for names; raise ObservationError.

        What we gave it in this lane alone (its group, its folder), and ids of ours, are no part of a report.
        """
        part, replay = self.parts[0], self.contract.replay
        assert replay is not None  # noqa: S101 - a contract that promises to replay names a report
        if replay.report:
            text = self._observer.text(templates.fill(replay.report, part.runtime))
        else:
            folder = self.site.contract.path.resolve().parent
            text = CommandObserver(folder, part.subject.environment).text(
                templates.fill(replay.command, part.runtime)
            )
        for name in ("group", "data_dir", "lane"):
            text = text.replace(part.runtime.get(name, ""), f"<{name}>") if part.runtime.get(name) else text
        return str(self.cast.anonymous(text))

    # -- the services

    @property
    def input_topic(self) -> str:
        """What the topic that we publish to is called on the broker."""
        topic = self.contract.input.topic
        return self.parts[0].runtime.get(f"topic:{topic}", topic)

    @property
    def label(self) -> str:
        """What the services are called in messages."""
        return " and ".join(self.contract.all_services)

    def of(self, service: str) -> tuple[Part, ...]:
        """Return the instances of a service, or the one of that name."""
        return tuple(part for part in self.parts if is_of(part.name, service))

    def recent_log(self) -> str:
        """Return the end of what the services wrote."""
        if len(self.parts) == 1:
            return self.parts[0].subject.recent_log()
        return "\n".join(f"--- {part.name}\n{part.subject.recent_log()}" for part in self.parts)

    def tail(self) -> str:
        """Return the last lines of each log, for an error's text."""
        return "\n".join(part.subject.tail() for part in self.parts)

    def _prepare(self, deadline: float) -> None:
        """Check the topology that the services declare, which may follow their being ready; raise ContractError."""

        def there() -> bool:
            try:
                self.namespace.prepare()
            except ContractError:
                return False
            return True

        if not self.record.await_(there, max(0.0, deadline - time.monotonic()), pulse=0.1):
            self.namespace.prepare()

    # -- the way in and the way of events

    def _open_entry(self, assembly: Assembly, stack: ExitStack) -> None:
        if self.contract.input.http:
            method, address = method_and_address(self.contract.input.http)
            later = {name: f"{{{name}}}" for name in templates.OF_A_MESSAGE}
            template = templates.fill(address, {**self.parts[0].runtime, **later})
            entry = HttpEntry(method, assembly.way_in(template))
            stack.callback(entry.close)
            self._asking = Asking(entry, self.record, self.note)

    def recorded(self, *events: Event) -> None:
        """Take events that a relay saw."""
        for event in events:
            if event.event in TELLING:
                self.readership.seen(event, self.namespace.ends)
        self.record.add(*events)
