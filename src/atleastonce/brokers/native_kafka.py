"""Kafka as a process of our own, in KRaft mode, from its published jars and a Java runtime.

The jars are fetched by ``python -m atleastonce.brokers``, never in the middle of a run.
"""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from atleastonce.brokers.broker import LOOPBACK
from atleastonce.brokers.kafka_jars import Installation, fetch, installed
from atleastonce.brokers.native import NativeBroker
from atleastonce.brokers.ports import free_ports
from atleastonce.brokers.settings import KAFKA, lines, recorded_kafka
from atleastonce.lifetimes import Lifetime

_REPORTED = re.compile(r"Kafka version: (\S+)")


@contextlib.contextmanager
def open_native_kafka(lifetime: Lifetime) -> Iterator[NativeBroker]:
    """Start a broker of our own; it is killed, and its data forgotten, at the end.

    Raises BrokerUnavailable without jars or Java, BrokerError if it does not start. Costs one to two seconds.
    """
    installation = installed()
    broker = _prepared(installation, lifetime, f"-XX:SharedArchiveFile={installation.classes}")
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def prepare(say: Callable[[str], None]) -> Installation:
    """Fetch the jars unless they are there, and archive the classes that a start takes; 20 s on a fast line.

    Raises BrokerUnavailable without Java or Maven, or if Maven cannot fetch.
    """
    installation = fetch(say)
    if not installation.classes.exists():
        say("Kafka: archiving its classes, for quicker starts")
        _archive_classes(installation)
    say("Kafka: ready to start")
    return installation


def _archive_classes(installation: Installation) -> None:
    """Run a broker once and let Java write down, at its end, which classes that took."""
    with Lifetime() as lifetime:
        draft = lifetime.directory("classes") / "classes.jsa"
        broker = _prepared(installation, lifetime, f"-XX:ArchiveClassesAtExit={draft}")
        try:
            broker.start()
            broker.stop()
            if draft.exists():  # an older Java cannot do this; the start is then a little slower
                shutil.copyfile(draft, installation.root / "classes.new")
                (installation.root / "classes.new").rename(installation.classes)
        finally:
            broker.kill()


def _prepared(installation: Installation, lifetime: Lifetime, option: str) -> NativeBroker:
    port, controller = free_ports(2)
    directory = lifetime.directory(f"kafka-{port}")
    data = directory / "data"
    shutil.copytree(installation.formatted, data)
    (directory / "server.properties").write_text(lines(_properties(port, controller, data)))
    return NativeBroker(
        kind="kafka",
        provider="native",
        port=port,
        settings={**recorded_kafka(), "provider": "native"},
        command=installation.command("kafka.Kafka", "server.properties", options=(option,)),
        environment=lifetime.environment(),
        directory=directory,
        reported_by_log=_REPORTED,
    )


def _properties(port: int, controller: int, data: Path) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "log.dirs": str(data),
        **KAFKA,
    }
