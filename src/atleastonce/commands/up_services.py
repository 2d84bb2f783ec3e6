"""Services as processes: started and stopped by name, each at an address of its own."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from atleastonce import templates
from atleastonce.brokers.broker import LOOPBACK
from atleastonce.brokers.ports import free_ports
from atleastonce.contract import Service
from atleastonce.conversion import near
from atleastonce.errors import ObservationError, ServiceError, UsageError
from atleastonce.lifetimes import Lifetime
from atleastonce.observe.http import HttpObserver
from atleastonce.subjects.process import ProcessSubject, own_environment

_GLANCE = 0.05  # seconds between two looks


class Services:
    """Some services side by side; those that still run are ended with the block.

    An address stays with a service through stop and start, and so do its data. `values` are placeholders that mean
    the same to all of them.
    """

    def __init__(
        self, services: Mapping[str, Service], values: Mapping[str, str], lifetime: Lifetime
    ) -> None:
        self._services = services
        self._ports = dict(zip(self._services, free_ports(len(self._services)), strict=True))
        shared = {
            **values,
            "instance": "1",
            **{f"http:{name}": self.address(name) for name in self._services},
        }
        folder = lifetime.directory("up")
        self._values = {
            name: {**shared, "port": str(port), "data_dir": str(lifetime.directory(f"up/{name}"))}
            for name, port in self._ports.items()
        }
        environment = lifetime.environment(own_environment())
        self._processes = {name: self._process(name, environment, folder) for name in self._services}
        self._wanted: set[str] = set()
        self._http = HttpObserver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them at once: nobody looks at what they leave, so they need not be asked first."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.end()
        self._http.close()

    @property
    def names(self) -> Sequence[str]:
        """The services, in the order in which they were given."""
        return tuple(self._services)

    def address(self, name: str) -> str:
        """Return where a service answers, whether it runs or not."""
        return f"http://{LOOPBACK}:{self._ports[name]}"

    def shown(self, name: str, path: str) -> Any:
        """Return what a service shows; None where it does not run, or shows nothing."""
        try:
            return self._http.get(self.address(name) + path)
        except ObservationError:
            return None

    def log(self, name: str) -> Path:
        """Return the file that a service writes to."""
        return self._processes[name].log

    def start(self, *names: str) -> None:
        """Start services side by side and wait until each is ready; raise UsageError or ServiceError."""
        for name in names:
            if self._known(name).alive:
                raise UsageError(f"was to start {name}: it runs already; `stop {name}` comes first")
        for name in names:
            self._processes[name].start()
            self._wanted.add(name)
        for name in names:
            self._await_ready(name)

    def stop(self, name: str) -> None:
        """Ask a service to stop and wait until it is gone; raise UsageError where none runs."""
        if not self._known(name).alive:
            raise UsageError(f"was to stop {name}: it does not run; `start {name}` starts it")
        self._wanted.discard(name)
        self._processes[name].stop()

    def fallen(self) -> Mapping[str, str]:
        """Return the services that ended although nobody stopped them, with how; each is told once."""
        names = [name for name in self.names if name in self._wanted and not self._processes[name].alive]
        self._wanted.difference_update(names)
        return {name: self._processes[name].describe_exit() for name in names}

    def _known(self, name: str) -> ProcessSubject:
        if name not in self._processes:
            raise UsageError(f"there is no service {name!r}{near(name, self._processes)}")
        return self._processes[name]

    def _await_ready(self, name: str) -> None:
        process, service = self._processes[name], self._services[name]
        deadline = time.monotonic() + float(service.ready_within)
        while not self._ready(name, service):
            if not process.alive:
                raise ServiceError(f"{name} did not get ready: {process.describe_exit()}")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{name} was not ready within {service.ready_within:g} s; the end of its log:\n"
                    f"{process.tail()}"
                )
            time.sleep(_GLANCE)

    def _ready(self, name: str, service: Service) -> bool:
        if service.ready:
            return self._http.answers(templates.fill(service.ready, self._values[name]))
        return self._http.listens(self.address(name))

    def _process(self, name: str, environment: Mapping[str, str], folder: Path) -> ProcessSubject:
        values = self._values[name]
        # A judged service opens with stock for thousands of orders; people want to see 100 become 99.
        given = {key: text for key, text in self._services[name].env.items() if key != "OPENING_STOCK"}
        filled = {key: templates.fill(text, values) for key, text in given.items()}
        return ProcessSubject(
            name,
            templates.fill(self._services[name].command, values),
            {**environment, **filled},
            folder / f"{name}.log",
            Path(values["data_dir"]),
        )
