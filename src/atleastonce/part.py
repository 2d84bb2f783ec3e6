"""A part of a lane: one instance of one service, behind relays of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from atleastonce import templates
from atleastonce.brokers.ports import is_free
from atleastonce.contract import Service
from atleastonce.errors import Cancelled, ContractError, ServiceError, TransportError
from atleastonce.history import Event
from atleastonce.observe.http import HttpObserver
from atleastonce.recording import Record
from atleastonce.relay.tcp import Relay
from atleastonce.subjects.process import ProcessSubject

_NOT_THERE = range(400, 500)
_TRIES_AGAIN = 5.0
"""Within how many seconds a service that lost its broker tries to reach it again: many clients wait for so long."""
_PORT_GIVEN_BACK = 5.0
"""How long what is left of a killed process group may hold its port, in seconds."""


@dataclass
class Part:
    """One subject and its relays; used by the lane's thread, except `kill` and `terminate`."""

    name: str
    service_name: str
    service: Service
    relays: tuple[Relay, ...]
    """One to the broker, where there is one, and one to each service that it asks over HTTP."""
    subject: ProcessSubject
    runtime: dict[str, str]
    record: Record
    observer: HttpObserver
    listens: tuple[str, ...]
    """Addresses, filled in, where it must take connections to be ready, unless `service.ready` says more."""
    must_subscribe: bool
    cancelled: Callable[[], bool]
    down: bool = field(default=True, init=False)
    """Whether it is not meant to run: not started yet, killed or stopped."""

    def note(self, event: str, *, ok: bool = True, note: str = "", size: int = 0) -> None:
        """Record something that was done to it or found out about it."""
        self.record.add(
            Event(event=event, t=self.record.clock(), service=self.name, ok=ok, note=note, size=size)
        )

    # -- starting

    def spawn(self) -> None:
        """Start the process, and return at once.

        Raises TransportError where somebody has taken its port while it was down: that it cannot start then says
        nothing about it.
        """
        port = self.runtime["port"]
        if not self.record.await_(lambda: is_free(int(port)), _PORT_GIVEN_BACK):
            raise TransportError(
                f"{self.name} was not started: another process listens on its port, {port}, and would not let it"
            )
        self.down = False
        self.note("start")
        self._began = time.monotonic()
        self.subject.start()

    def await_subscribed(self) -> None:
        """Wait until the relay saw it subscribe, or it is ready without, or a fault ends it; raise ServiceError."""
        self._await(lambda: self.subscribed or not self.must_subscribe)

    def await_ready(self) -> None:
        """Wait until it is ready, or a fault ends it; raise ServiceError where it is not in time."""
        self._await(self._ready)
        if self.down:
            return
        self.note("ready", note=f"after {time.monotonic() - self._began:.3f} s")

    def await_health(self) -> None:
        """Wait until its health is found where the contract says; raise ContractError where it is not in time.

        An address where nothing answers, or with 4xx, would look like a service that is never well; one that
        answers 5xx may be that service.
        """
        if not self.service.health:
            return
        address, status = self._address(self.service.health), 0

        def told() -> bool:
            nonlocal status
            status = self.observer.status(address)
            return status != 0 and status not in _NOT_THERE

        within = float(self.service.ready_within)
        if not self.record.await_(lambda: self.cancelled() or not self.subject.alive or told(), within):
            found = f"it answers {status}" if status else "nothing answers there"
            raise ContractError(
                f"service.health: {address} is no health endpoint, {within:g} s after {self.name} was ready: {found}; "
                "name the one that it has, or leave this out"
            )

    def _await(self, true: Callable[[], bool]) -> None:
        within = float(self.service.ready_within)
        left = max(0.0, self._began + within - time.monotonic())
        done = self.record.await_(
            lambda: self.cancelled() or self.down or not self.subject.alive or true(), left
        )
        if self.cancelled():
            raise Cancelled("the run was asked to stop")
        if self.down:
            return
        if not self.subject.alive:
            raise ServiceError(f"{self.name} did not get ready: {self.subject.describe_exit()}")
        if not done:
            raise ServiceError(self._not_ready(within))

    def _ready(self) -> bool:
        if self.must_subscribe and not self.subscribed:
            return False
        if self.service.ready:
            return self.observer.answers(self._address(self.service.ready))
        return all(self.observer.listens(address) for address in self.listens)

    def _not_ready(self, within: float) -> str:
        ready = self._address(self.service.ready) or "the addresses that are observed"
        waited = ready if self.subscribed else f"its subscription and {ready}"
        return (
            f"{self.name} was not ready within {within:g} s (waited for {waited}); raise "
            f"service.ready_within or see the end of its log:\n{self.subject.tail()}"
        )

    # -- ending

    def kill(self) -> None:
        """SIGKILL it, and absorb what its links still carry; on the relay's thread."""
        self.down = True
        self.subject.kill()
        for relay in self.relays:
            relay.absorb()
        self.note("kill")

    def terminate(self) -> None:
        """SIGTERM it, and return at once; also on the relay's thread."""
        self.down = True
        self.note("stop")
        self.subject.terminate()

    def stop(self) -> None:
        """SIGTERM it, wait until it has ended, and end its links in order."""
        self.terminate()
        self.bury()

    def bury(self, *, for_good: bool = False) -> None:
        """Once it was killed, asked to stop or has ended: wait for its end, and end its links in order."""
        self.subject.end()
        for relay in self.relays:
            relay.bury(for_good=for_good)

    def end(self) -> None:
        """End it for good: nobody looks at what it leaves, so it need not be asked first."""
        self.subject.kill()
        self.subject.end()

    @property
    def exited(self) -> bool:
        """Whether it ended by itself."""
        return not self.down and not self.subject.alive

    # -- links

    @property
    def subscribed(self) -> bool:
        """Whether it consumes over a live link."""
        return any(relay.subscribed() for relay in self.relays)

    @property
    def isolated(self) -> bool:
        """Whether new links of it are refused."""
        return any(relay.refuses for relay in self.relays)

    def await_refused(self) -> None:
        """Wait until one that consumes has tried to reach its broker in vain: till then its links were cut, no more."""
        if self.must_subscribe:
            self.record.await_(
                lambda: self.cancelled() or self.exited or any(relay.refused for relay in self.relays),
                _TRIES_AGAIN,
                pulse=0.05,
            )

    def cut(self, *, refuse: bool = False) -> int:
        """Reset every link, and `refuse` new ones until `mend`; return how many there were."""
        return sum(relay.cut(refuse=refuse) for relay in self.relays)

    def mend(self) -> None:
        """Take new links again."""
        for relay in self.relays:
            relay.mend()

    # -- health

    def health(self) -> int | None:
        """Return the status that its health endpoint answers, 0 for no answer; None where it has none."""
        return self.observer.status(self._address(self.service.health)) if self.service.health else None

    def _address(self, template: str) -> str:
        return templates.fill(template, self.runtime)
