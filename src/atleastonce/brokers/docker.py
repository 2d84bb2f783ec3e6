"""Brokers in containers, by Testcontainers, from the official images or others of the same interface.

A container has fixed ports, published on the loopback address only, so that a restart keeps its address. It
carries the label of the run, by which it is found and removed again even if this process dies; the reaper of
Testcontainers (Ryuk), an image more to pull, is therefore switched off.
"""

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.errors import DockerException, ImageNotFound
from docker.types import Ulimit
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host

from atleastonce.brokers import settings
from atleastonce.brokers.broker import LOOPBACK, TITLES, Kind, RunningBroker, Say
from atleastonce.brokers.ports import free_ports
from atleastonce.brokers.readiness import ready
from atleastonce.errors import BrokerError, BrokerUnavailable
from atleastonce.lifetimes import Lifetime

IMAGE_VARIABLES: Mapping[Kind, str] = {
    "rabbitmq": "ATLEASTONCE_RABBITMQ_IMAGE",
    "kafka": "ATLEASTONCE_KAFKA_IMAGE",
}
_DEFAULTS: Mapping[Kind, str] = {"rabbitmq": settings.RABBITMQ_IMAGE, "kafka": settings.KAFKA_IMAGE}
_FAILURES = (DockerException, RequestException, OSError)
_ANSWERS_WITHIN = 60  # seconds for a request to the engine; a busy one takes its time to remove a container
_STOPS_WITHIN = 15  # seconds for an orderly stop
_REPORTED = re.compile(r"Kafka version: (\S+)")
_CONFIGURATION = "/etc/rabbitmq/conf.d/90-atleastonce.conf"
_CONTROLLER = 9093


def image_of(kind: Kind) -> str:
    """Return the image that is asked for: that of the environment variable, or the official one."""
    return os.environ.get(IMAGE_VARIABLES[kind]) or _DEFAULTS[kind]


def check(kind: Kind, pull_within: float, say: Say) -> None:
    """Raise BrokerUnavailable, naming what helps, unless an engine of this machine answers and has the image.

    A missing image is pulled; after `pull_within` seconds the engine is left to go on with it alone.
    """
    image = image_of(kind)
    client = _engine()
    try:
        if _is_there(client, image):
            return
        say(f"{TITLES[kind]}: pulling the image {image}")
        failure = _pull(client, image, pull_within)
    finally:
        client.client.close()
    if failure:
        raise BrokerUnavailable(
            f"looked for the image {image}: it is not there and cannot be pulled ({failure}); "
            f"run `docker pull {image}`, or build it with `nox -s images`"
        )


@contextlib.contextmanager
def open_docker(kind: Kind, lifetime: Lifetime) -> Iterator["DockerBroker"]:
    """Start a container of our own; it is removed, with its data, at the end.

    Raises BrokerError if it does not start or does not get ready. Costs about four seconds.
    """
    testcontainers_config.ryuk_disabled = True
    lifetime.uses_docker(get_docker_host())
    broker = _rabbitmq(lifetime) if kind == "rabbitmq" else _kafka(lifetime)
    try:
        with _translated(broker, "started"):
            broker.container.start()
        broker.await_ready()
        yield broker
    finally:
        with contextlib.suppress(*_FAILURES):  # an engine that has died has no containers either
            broker.container.stop()


@dataclass(kw_only=True)
class DockerBroker(RunningBroker):
    """A broker in a container of ours."""

    container: DockerContainer
    _paused: bool = field(default=False, init=False)

    def await_ready(self) -> None:
        """Return once the broker does its work; raise BrokerError with its log if it does not get so."""
        self.version = ready(self, self._log, self._runs) or self._version_in_log()

    def restart(self) -> None:
        """Stop in order and start again; after `kill`, just start."""
        self.resume()
        with _translated(self, "restarted"):
            self._handle.restart(timeout=_STOPS_WITHIN)
        self.await_ready()

    def pause(self) -> None:
        """Freeze every process in the container."""
        if not self._paused:
            with _translated(self, "paused"):
                self._handle.pause()
            self._paused = True

    def resume(self) -> None:
        """Let every process in the container go on."""
        if self._paused:
            with _translated(self, "resumed"):
                self._handle.unpause()
            self._paused = False

    def kill(self) -> None:
        """End every process in the container at once; its data stays."""
        if self._runs():
            with _translated(self, "killed"):
                self._handle.kill()
                self._handle.wait()
        self._paused = False

    @property
    def _handle(self) -> Any:
        return self.container.get_wrapped_container()

    def _runs(self) -> bool:
        with _translated(self, "looked at"):
            self._handle.reload()
        return str(self._handle.status) in {"running", "paused"}

    def _log(self) -> str:
        with _translated(self, "read"):
            return bytes(self._handle.logs()).decode(errors="replace")

    def _version_in_log(self) -> str:
        found = _REPORTED.search(self._log()) if self.kind == "kafka" else None
        return found.group(1) if found else ""


def _rabbitmq(lifetime: Lifetime) -> DockerBroker:
    amqp, management = free_ports(2)
    image = image_of("rabbitmq")
    container = _container(image, lifetime, {"5672/tcp": amqp, "15672/tcp": management})
    container.with_kwargs(**container._kwargs, hostname="atleastonce")  # noqa: SLF001 - it has no way to add one
    container.with_copy_into_container(settings.lines(settings.RABBITMQ).encode(), _CONFIGURATION, 0o644)
    return DockerBroker(
        kind="rabbitmq",
        provider="docker",
        port=amqp,
        management_port=management,
        settings={**settings.recorded_rabbitmq(), "provider": "docker", "image": image},
        container=container,
    )


def _kafka(lifetime: Lifetime) -> DockerBroker:
    (port,) = free_ports(1)
    image = image_of("kafka")
    # the same port inside and outside: the broker, too, reaches itself at the address that it advertises
    container = _container(image, lifetime, {f"{port}/tcp": port})
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@localhost:{_CONTROLLER}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:{_CONTROLLER}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        **settings.KAFKA,
    }
    for key, value in properties.items():
        container.with_env("KAFKA_" + key.replace(".", "_").upper(), value)
    container.with_env("KAFKA_HEAP_OPTS", "-Xmx512m")
    return DockerBroker(
        kind="kafka",
        provider="docker",
        port=port,
        settings={**settings.recorded_kafka(), "provider": "docker", "image": image},
        container=container,
    )


def _container(image: str, lifetime: Lifetime, ports: Mapping[str, int]) -> DockerContainer:
    files = settings.open_files()
    container = DockerContainer(image, docker_client_kw={"timeout": _ANSWERS_WITHIN}).with_kwargs(
        labels=dict(lifetime.labels),
        ulimits=[Ulimit(name="nofile", soft=files, hard=files)],
        # named, or Testcontainers looks for the network of the container that we may be in; that can be the host's
        network="bridge",
    )
    for inside, outside in ports.items():
        # the pair is docker's own; with_bind_ports would publish the port on every address of this machine
        container.ports[inside] = (LOOPBACK, outside)  # type: ignore[assignment]
    return container


def _engine() -> DockerClient:
    """Return a client of an engine that answers and whose published ports are on this machine's loopback."""
    try:
        client = DockerClient(timeout=_ANSWERS_WITHIN)
        client.client.ping()
        host = client.host()
        # an engine in our own container, or on our own machine, calls itself as we do
        local = host in {"localhost", LOOPBACK} or client.client.info()["Name"] == socket.gethostname()
    except _FAILURES as exc:
        raise BrokerUnavailable(
            f"looked for a Docker engine: none answers ({_first_line(exc)}); start one with `dockerd &`"
        ) from exc
    if not local:
        client.client.close()
        raise BrokerUnavailable(
            f"looked for a Docker engine: the one that answers is at {host}, and publishes ports on its "
            "own loopback address only; start one on this machine, or give the address of a broker there"
        )
    return client


def _is_there(client: DockerClient, image: str) -> bool:
    try:
        client.client.images.get(image)
    except ImageNotFound:
        return False
    except _FAILURES as exc:
        raise BrokerUnavailable(
            f"asked the Docker engine for {image}: {_first_line(exc)}; look at its log"
        ) from exc
    return True


def _pull(client: DockerClient, image: str, within: float) -> str | None:
    """Return why the image could not be had in time, or None if it is there now."""
    failures: list[str] = []

    def pull() -> None:
        try:
            client.client.images.pull(image)
        except _FAILURES as exc:
            failures.append(_first_line(exc))

    thread = threading.Thread(target=pull, daemon=True, name=f"pull {image}")
    thread.start()
    thread.join(within)
    if thread.is_alive():
        return f"not finished after {within:.0f} s"
    return failures[0] if failures else None


@contextlib.contextmanager
def _translated(broker: RunningBroker, what: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as exc:
        raise BrokerError(
            f"{broker.title} was to be {what}: {_first_line(exc)}; look at the engine's log"
        ) from exc


def _first_line(exc: BaseException) -> str:
    return next(iter(str(exc).splitlines()), type(exc).__name__)
