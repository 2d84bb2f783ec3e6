"""Puts the parts of a lane together: every instance of every service, its relays, and the addresses that it is told.

A service reaches the broker, and every other service, through relays of its own, so that the history says whose
link it was; what observes a service, or asks it first, reaches it directly.
"""

import itertools
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from atleastonce import templates
from atleastonce.brokers.ports import free_ports
from atleastonce.contract import Contract, ContractFile, Service
from atleastonce.errors import ContractError
from atleastonce.faults import FAULTS
from atleastonce.faults.scene import Scene
from atleastonce.history import Event
from atleastonce.layout import Site
from atleastonce.observe.http import HttpObserver
from atleastonce.part import Part
from atleastonce.recording import Record
from atleastonce.relay.codec import Names
from atleastonce.relay.http import HttpWire
from atleastonce.relay.link import Link, Recorder
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import LOOPBACK, Address, Relay
from atleastonce.relay.traps import Traps
from atleastonce.schedule import CLIENT, Trap, instance, is_of
from atleastonce.subjects.process import ProcessSubject, own_environment
from atleastonce.transports import Namespace
from atleastonce.transports.http import method_and_address
from atleastonce.write_points import WritePoints

_HTTP = "http:"


def at_hand(file: ContractFile) -> None:
    """Raise ContractError for a program or a file that the contract names and that is not there."""
    folder, contract = file.path.resolve().parent, file.contract
    for where, service in contract.tables.items():
        program = next(iter(shlex.split(service.command)), "")
        path = {**own_environment(), **service.env}.get("PATH", os.defpath)
        sought = program if os.sep not in program else str(folder / program)
        known = program and not any(templates.placeholders(f"{program}{path}"))
        if known and shutil.which(sought, path=path) is None:
            raise ContractError(
                f"{where}.command: found no program {program!r}; it is run without a shell, from {folder}: "
                "name one in PATH, or the way to it from there"
            )
    if (given := contract.broker.definitions) and not (folder / given).is_file():
        raise ContractError(f"broker.definitions: found no file {given!r} in {folder}; name one there")


class Ground(Protocol):
    """What parts need of the lane that they are put into."""

    site: Site
    name: str
    contract: Contract
    namespace: Namespace
    loop: Loop
    names: Names
    traps: Traps
    record: Record
    twist: Mapping[str, str]
    """What is another value in the environment of its services than the contract says."""
    write_points: WritePoints

    def recorded(self, *events: Event) -> None:
        """Take events that a relay saw."""


class Assembly:
    """The parts of one lane, not started yet; the stack ends them, and their relays after them."""

    def __init__(self, lane: Ground, observer: HttpObserver, stack: ExitStack) -> None:
        self._lane = lane
        self._observer = observer
        self._stack = stack
        self._services = lane.contract.all_services
        self._ports = {name: free_ports(each.instances) for name, each in self._services.items()}
        self._asked = {other for each in self._services.values() for other in _asked(each)}
        self._parts: list[Part] = []

    def parts(self) -> tuple[Part, ...]:
        """Make every instance of every service, with its relays."""
        for name, ports in self._ports.items():
            for number, port in enumerate(ports, start=1):
                self._parts.append(self._made(name, number, port))
        return tuple(self._parts)

    def _made(self, service_name: str, number: int, port: int) -> Part:
        lane, service = self._lane, self._services[service_name]
        name = instance(service_name, number, service.instances)
        only_asked = service_name in self._asked and not service.uses_broker
        numbers = itertools.count(1)
        broker = self._broker_relay(name, numbers)
        links = {other: self._relay_to(other, name, numbers) for other in _asked(service)}
        directory = lane.site.directory(lane.name)
        data = directory / "data" / service_name
        data.mkdir(parents=True, exist_ok=True)
        runtime = {
            **(lane.namespace.placeholders(*broker.address) if broker else {}),
            **{_HTTP + each: f"http://{LOOPBACK}:{ports[0]}" for each, ports in self._ports.items()},
            "port": str(port),
            "data_dir": str(data),
            "lane": f"lane_{lane.site.run}_{lane.name}".replace("-", "_"),
            "instance": str(number),
        }
        told = {**runtime, **{_HTTP + each: _address(relay) for each, relay in links.items()}}
        filled = {key: templates.fill(text, told) for key, text in service.env.items()}
        subject = ProcessSubject(
            name,
            templates.fill(service.command, told),
            {**lane.site.environment(own_environment()), **filled, **lane.twist},
            directory / f"{name}.log",
            lane.site.contract.path.resolve().parent,
        )
        part = Part(
            name=name,
            service_name=service_name,
            service=service,
            relays=(*((broker,) if broker else ()), *links.values()),
            subject=subject,
            runtime=runtime,
            record=lane.record,
            observer=self._observer,
            listens=tuple(self._addresses(service_name, runtime)),
            must_subscribe=broker is not None and not self._is_entry(service_name) and not only_asked,
            cancelled=lane.site.stop.is_set,
        )
        self._stack.callback(part.end)
        return part

    def way_in(self, address: str) -> str:
        """Return where a relay leads to an address of a service: what is sent in there can be struck on its way.

        Of what passes, messages that `entered` are recorded, and traps that sprang: what we asked, and were answered,
        we know.
        """
        url = urlsplit(address)
        if url.scheme != "http" or url.hostname is None or url.port is None:
            return address

        def record(*events: Event) -> None:
            entered = (
                msgspec.structs.replace(each, event="entered") if each.event == "request" else each
                for each in events
            )
            self._lane.recorded(*(each for each in entered if each.event in ("entered", "sprung")))

        to = next((name for name, ports in self._ports.items() if url.port in ports), "")
        relay = self._http_relay(CLIENT, (url.hostname, url.port), to, record, itertools.count(1))
        return url._replace(netloc=f"{LOOPBACK}:{relay.address[1]}").geturl()

    # -- relays

    def _broker_relay(self, name: str, numbers: Iterator[int]) -> Relay | None:
        lane = self._lane
        if lane.site.upstream is None:
            return None
        relay = Relay(
            lane.loop,
            lane.site.upstream,
            name,
            lambda address_for: lane.site.wire(lane.names, address_for),
            lane.recorded,
            self._strike,
            lane.traps,
        )
        return self._opened(relay, numbers)

    def _relay_to(self, other: str, name: str, numbers: Iterator[int]) -> Relay:
        upstream = (LOOPBACK, self._ports[other][0])
        return self._http_relay(name, upstream, other, self._lane.recorded, numbers)

    def _http_relay(
        self, asking: str, upstream: Address, to: str, record: Recorder, numbers: Iterator[int]
    ) -> Relay:
        lane = self._lane
        relay = Relay(
            lane.loop, upstream, asking, lambda _: HttpWire(lane.names), record, self._strike, lane.traps
        )
        relay.to = to
        return self._opened(relay, numbers)

    def _opened(self, relay: Relay, numbers: Iterator[int]) -> Relay:
        relay.numbers = numbers
        relay.clock = self._lane.record.clock
        return self._stack.enter_context(relay)

    def _strike(self, trap: Trap, link: Link) -> None:
        """Let a fault strike the service that the trap names: the one whose link it is, or the one that it leads to."""
        own = next((part for part in self._parts if part.name == link.relay.service), None)
        if own is not None and (not trap.service or is_of(own.name, trap.service)):
            self._struck(trap, Scene(link, own.kill, own.terminate), own)
            return
        asked = next(part for part in self._parts if part.service_name == link.relay.to)

        def kill() -> None:
            asked.kill()
            link.end()  # as the kernel does it, but now: what was not passed on does not reach the dead

        self._struck(trap, Scene(link, kill, asked.terminate), asked)

    def _struck(self, trap: Trap, scene: Scene, part: Part) -> None:
        if trap.is_write:
            self._lane.write_points.watch(trap, scene, part)
        else:
            FAULTS[trap.do].strike(scene)

    # -- being ready

    def _is_entry(self, service_name: str) -> bool:
        """Tell whether messages reach this service over HTTP, so that it need not consume anything."""
        return bool(self._lane.contract.input.http) and service_name == next(iter(self._services))

    def _addresses(self, service_name: str, runtime: Mapping[str, str]) -> Iterator[str]:
        """Yield the addresses where a service must listen to be ready: those that we, or others, shall use."""
        contract, service = self._lane.contract, self._services[service_name]
        anyone = {**runtime, **dict.fromkeys(templates.OF_A_MESSAGE, "0")}
        if service_name in self._asked and not service.uses_broker:
            yield f"http://{LOOPBACK}:{runtime['port']}"
        if service_name != next(iter(self._services)):
            return
        for template in contract.observe.http:
            if not any(name.startswith(_HTTP) for name in templates.placeholders(template)):
                yield templates.fill(template, anyone)
        if contract.input.http:
            yield templates.fill(method_and_address(contract.input.http)[1], anyone)


def _asked(service: Service) -> tuple[str, ...]:
    """Return the other services that a service is told the addresses of."""
    found = (each for text in service.texts.values() for each in templates.placeholders(text))
    return tuple(dict.fromkeys(each.removeprefix(_HTTP) for each in found if each.startswith(_HTTP)))


def _address(relay: Relay) -> str:
    host, port = relay.address
    return f"http://{host}:{port}"
