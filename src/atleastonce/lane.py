"""A lane: a namespace on the broker, a relay and a subject of its own; several run side by side."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from atleastonce import templates
from atleastonce.casting import Cast, outputs
from atleastonce.contract import ContractFile, Service
from atleastonce.errors import Cancelled, ContractError, ObservationError, ServiceError
from atleastonce.faults import FAULTS
from atleastonce.faults.scene import Scene
from atleastonce.history import Event, Moment, Observation
from atleastonce.observe.http import HttpObserver
from atleastonce.recording import Record
from atleastonce.relay.codec import Names, Wire
from atleastonce.relay.link import Link
from atleastonce.relay.tcp import Address, Relay
from atleastonce.schedule import Schedule, Trap
from atleastonce.subjects.process import ProcessSubject, own_environment
from atleastonce.transports import Letter, Namespace, Subscription


@dataclass(frozen=True)
class Site:
    """Where lanes are laid: one broker, one contract, one run. Its functions know the kind of broker."""

    contract: ContractFile
    upstream: Address
    namespace: Callable[[str], Namespace]
    wire: Callable[[Names, Callable[[str, int], Address]], Wire]
    directory: Callable[[str], Path]
    environment: Callable[[dict[str, str]], dict[str, str]]
    canary: tuple[str, ...]
    lanes: int | None
    """How many lanes can be laid side by side; None for any number."""
    settings: Mapping[str, str]
    histories: Path | None
    """Where histories are kept, one file per lane; None keeps none."""
    stop: threading.Event
    """Set when the run shall end; every wait asks."""


class Lane:
    """One subject behind its relay, between `open` and `close`. Used by one thread; its relay has one more."""

    def __init__(self, site: Site, name: str) -> None:
        services = site.contract.contract.all_services
        self.site = site
        self.name = name
        self.contract = site.contract.contract
        self.service_name, self.service = next(iter(services.items()))
        self.record = Record()
        self.names = Names()
        self.spoiled = False
        # Numbers that nothing else is likely to be, so that they can be told wherever they turn up.
        self._numbers = itertools.count(1_500_000_001)
        self._observer = HttpObserver()
        self._seen: set[tuple[str, str | None]] = set()
        self._stack = ExitStack()
        self.cast: Cast

    def open(self) -> Self:
        """Make the namespace, start relay and subject, and wait until it is ready; raise AtLeastOnceError."""
        with ExitStack() as stack:
            stack.callback(self._observer.close)
            self.namespace = stack.enter_context(self.site.namespace(self.name))
            self.relay = stack.enter_context(self._make_relay())
            self.relay.clock = self.record.clock
            directory = self.site.directory(self.name)
            (directory / "data").mkdir()
            self.runtime = self._runtime(directory)
            self.subject = self._make_subject(directory, self.service)
            stack.callback(self._end_subject)
            deadline = time.monotonic() + float(self.service.ready_within)
            self.start()
            self._prepare(deadline)
            self._stack = stack.pop_all()
        return self

    def close(self) -> None:
        """End the subject and the relay, and remove the namespace; a lane is closed once."""
        self._stack.close()

    # -- one case

    def begin(self, case: str, schedule: Schedule) -> None:
        """Give the messages of a schedule their ids, and start an empty record."""
        self.cast = Cast(f"{self.name}/{case}", schedule, self.contract, self._numbers, self.names)
        stale = [*self.namespace.outputs(), *self.namespace.dead_letters()]
        self.record.begin()
        for letter in stale:
            self.check_in_time(letter, stale=True)

    def note(self, event: str, *, ok: bool = True, note: str = "", service: str = "") -> None:
        """Record something that the runner did or found."""
        self.record.add(Event(event=event, t=self.record.clock(), ok=ok, note=note, service=service))

    def publish(self, message: str) -> None:
        """Publish one more copy of a message."""
        copy, envelope = self.cast.next_copy(message)
        receipt = self.namespace.publish(envelope)
        self.record.add(
            Event(
                event="published",
                t=self.record.clock(),
                message=message,
                copy=copy,
                partition=receipt.partition,
                offset=receipt.offset,
                ok=receipt.confirmed,
                note=receipt.note,
            )
        )

    def check_in_time(self, letter: Letter, *, stale: bool = False) -> None:
        """Note an output of an earlier case that was not seen then; one that is repeated does no harm."""
        output = self.cast.output(letter)
        mark = (output.queue, output.id)
        if output.id is None or mark not in self._seen:
            if stale or self.cast.late(letter):
                self.note("late", ok=False, note=f"an output in {letter.queue}")
            self._seen.add(mark)

    def subscriptions(self) -> set[Subscription]:
        """Return what the subject consumes from, and where it has messages wait, as the relay saw it."""
        return {Subscription(queue, group) for queue, group in self._consumed}

    def snapshot(self) -> dict[str, Any]:
        """Read every observed address that has something to show; raise ObservationError."""
        seen = {}
        for template in self.contract.observe.http:
            for label, url in self.cast.addresses(template, self.runtime).items():
                seen[label] = self.cast.anonymous(self._observer.get(url))
        return {label: value for label, value in seen.items() if value is not None}

    def observe(
        self, moment: Moment, values: dict[str, Any] | None, found: list[Any], dead: list[Any]
    ) -> Observation:
        """Return an observation; `values` None means that they are read now."""
        at = self.record.clock()
        try:
            seen = self.snapshot() if values is None else values
        except ObservationError as exc:
            return Observation(observed=moment, at=at, unreadable=str(exc))
        return Observation(
            observed=moment,
            at=at,
            values=seen,
            outputs=outputs(self.cast, found),
            dead_letters=outputs(self.cast, dead),
        )

    # -- the subject

    def start(self) -> None:
        """Start the subject and wait until it is ready; raise ServiceError where it is not in time."""
        began = time.monotonic()
        self.note("start", service=self.service_name)
        self.subject.start()
        within = float(self.service.ready_within)
        ready = self.record.await_(self._ready_or_over, within)
        if self.site.stop.is_set():
            raise Cancelled("the run was asked to stop")
        if not self.subject.alive:
            raise ServiceError(f"{self.service_name} did not get ready: {self.subject.describe_exit()}")
        if not ready:
            raise ServiceError(self._not_ready(within))
        self.note("ready", service=self.service_name, note=f"after {time.monotonic() - began:.3f} s")

    def bury(self) -> None:
        """After a kill: wait for the process to be gone, and end its links in order."""
        self.subject.wait(10.0)
        self.relay.bury()

    def _prepare(self, deadline: float) -> None:
        """Check the topology that the subject declares, which may follow its being ready; raise ContractError."""

        def there() -> bool:
            try:
                self.namespace.prepare()
            except ContractError:
                return False
            return True

        if not self.record.await_(there, max(0.0, deadline - time.monotonic()), pulse=0.1):
            self.namespace.prepare()

    def _end_subject(self) -> None:
        """End the subject for good: nobody looks at what it leaves, so it need not be asked first."""
        self.subject.kill()
        self.subject.wait(10.0)

    def _ready_or_over(self) -> bool:
        if self.site.stop.is_set() or not self.subject.alive:
            return True
        if not self.relay.subscribed():
            return False
        if self.service.ready:
            return self._observer.answers(templates.fill(self.service.ready, self.runtime))
        anyone = {**self.runtime, "id": "0", "message_id": "0", "n": "0"}
        addresses = (templates.fill(template, anyone) for template in self.contract.observe.http)
        return all(self._observer.listens(address) for address in addresses)

    def _not_ready(self, within: float) -> str:
        ready = templates.fill(self.service.ready, self.runtime) or "the addresses of observe.http"
        waited = ready if self.relay.subscribed() else f"its subscription and {ready}"
        return (
            f"{self.service_name} was not ready within {within:g} s (waited for {waited}); raise "
            f"service.ready_within or see the end of its log:\n{self.subject.tail()}"
        )

    # -- making the parts

    def _make_relay(self) -> Relay:
        self._consumed: set[tuple[str, str]] = set()
        return Relay(
            self.site.upstream,
            self.service_name,
            lambda address_for: self.site.wire(self.names, address_for),
            self._recorded,
            self._strike,
        )

    def _recorded(self, event: Event) -> None:
        if event.event in ("consume", "delays"):
            self._consumed.add((event.queue, event.group))
        self.record.add(event)

    def _strike(self, trap: Trap, link: Link) -> None:
        FAULTS[trap.do].strike(Scene(link=link, kill_service=self._kill))

    def _kill(self) -> None:
        self.subject.kill()
        self.relay.absorb()
        self.record.add(Event(event="kill", t=self.record.clock(), service=self.service_name))

    def _make_subject(self, directory: Path, service: Service) -> ProcessSubject:
        filled = {key: templates.fill(text, self.runtime) for key, text in service.env.items()}
        return ProcessSubject(
            self.service_name,
            templates.fill(service.command, self.runtime),
            {**self.site.environment(own_environment()), **filled},
            directory / f"{self.service_name}.log",
            self.site.contract.path.resolve().parent,
        )

    def _runtime(self, directory: Path) -> dict[str, str]:
        return {
            **self.namespace.placeholders(*self.relay.address),
            "port": str(_free_port()),
            "data_dir": str(directory / "data"),
            "instance": "1",
        }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
