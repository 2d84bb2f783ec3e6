"""The services of a scenario file: those with a command are started, those that are watched get a passage."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from atleastonce import templates
from atleastonce.brokers.broker import LOOPBACK
from atleastonce.brokers.ports import free_ports
from atleastonce.errors import ServiceError
from atleastonce.latency.scenario import Service
from atleastonce.lifetimes import Lifetime
from atleastonce.measuring.passage import Passage
from atleastonce.observe.http import HttpObserver
from atleastonce.relay.loop import Loop
from atleastonce.subjects.process import ProcessSubject, own_environment

_GLANCE = 0.05  # seconds between two looks


@dataclass
class Fleet:
    """Services that stand: where each listens itself, and where those who ask it are led to."""

    own: dict[str, str]
    passages: dict[str, Passage] = field(default_factory=dict)

    def values(self, name: str = "") -> dict[str, str]:
        """Return what stands for ``{http:NAME}``, and for ``{port}`` of the service of this name."""
        asked = {
            service: f"http://{LOOPBACK}:{self.passages[service].port}"
            if service in self.passages
            else address
            for service, address in self.own.items()
        }
        values = {f"http:{service}": address for service, address in asked.items()}
        return {**values, "port": str(_place(self.own[name])[1])} if name else values


@contextlib.contextmanager
def standing(services: Mapping[str, Service], lifetime: Lifetime, cwd: Path) -> Iterator[Fleet]:
    """Start services side by side, wait until each is ready, and end them with the block.

    Raises ServiceError where one does not start. `cwd` is the folder that commands run in.
    """
    ports = iter(free_ports(sum(bool(service.command) for service in services.values())))
    fleet = Fleet(
        {
            name: service.url.rstrip("/") or f"http://{LOOPBACK}:{next(ports)}"
            for name, service in services.items()
        }
    )
    with contextlib.ExitStack() as running:
        loop = running.enter_context(Loop("passages"))
        for name in (name for name, service in services.items() if service.watch):
            fleet.passages[name] = running.enter_context(Passage(loop, *_place(fleet.own[name])))
        processes = {
            name: _process(name, service, fleet, lifetime, cwd)
            for name, service in services.items()
            if service.command
        }
        for process in processes.values():
            running.callback(process.end)
            running.callback(process.kill)  # nobody looks at what it leaves, so it need not be asked first
            process.start()
        observer = running.enter_context(contextlib.closing(HttpObserver()))
        began = time.monotonic()
        for name, service in services.items():
            ready = templates.fill(service.ready, fleet.values(name)) or fleet.own[name]
            _await_ready(_Waiting(name, service, ready, processes.get(name)), observer, began)
        yield fleet


def _place(address: str) -> tuple[str, int]:
    """Return host and port of an address."""
    parsed = urllib3.util.parse_url(address)
    return parsed.host or LOOPBACK, parsed.port or (443 if parsed.scheme == "https" else 80)


def _process(name: str, service: Service, fleet: Fleet, lifetime: Lifetime, cwd: Path) -> ProcessSubject:
    values = {**fleet.values(name), "data_dir": str(lifetime.directory(f"latency/{name}"))}
    filled = {key: templates.fill(text, values) for key, text in service.env.items()}
    return ProcessSubject(
        name,
        templates.fill(service.command, values),
        lifetime.environment({**own_environment(), **filled}),
        lifetime.directory("latency") / f"{name}.log",
        cwd,
    )


@dataclass(frozen=True)
class _Waiting:
    """A service that is not ready yet."""

    name: str
    service: Service
    address: str
    process: ProcessSubject | None


def _await_ready(waiting: _Waiting, observer: HttpObserver, began: float) -> None:
    """Wait until a service answers 2xx at its `ready`, or takes connections where it has none."""
    name, service, process = waiting.name, waiting.service, waiting.process
    within = float(service.ready_within)
    while not (observer.answers if service.ready else observer.listens)(waiting.address):
        if process is not None and not process.alive:
            raise ServiceError(f"{name} did not get ready: {process.describe_exit()}")
        if time.monotonic() - began > within:
            what = "answered 2xx" if service.ready else "took a connection"
            told = "start it first" if process is None else f"the end of its log:\n{process.tail()}"
            raise ServiceError(
                f"{name} was not ready within {within:g} s: nothing {what} at {waiting.address}; "
                f"raise services.{name}.ready_within, or {told}"
            )
        time.sleep(_GLANCE)
