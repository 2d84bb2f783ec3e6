"""Lays out the site of a run: chooses transport, relay and canary by the kind of broker, once and only here."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from atleastonce import canary
from atleastonce.brokers import Broker
from atleastonce.contract import ContractFile
from atleastonce.lane import Site
from atleastonce.lifetimes import Lifetime
from atleastonce.relay.amqp import AmqpWire
from atleastonce.relay.codec import Names, Wire
from atleastonce.relay.kafka import KafkaWire
from atleastonce.relay.kafka_rewrite import AddressFor
from atleastonce.scope import refuse
from atleastonce.transports import Namespace
from atleastonce.transports.kafka import KafkaNamespace
from atleastonce.transports.rabbitmq import RabbitmqNamespace

_numbers = itertools.count(1)


@contextlib.contextmanager
def laid_out(
    contract: ContractFile,
    broker: Broker,
    lifetime: Lifetime,
    stop: threading.Event,
    histories: Path | None = None,
) -> Iterator[Site]:
    """Yield a site for lanes of this contract on this broker.

    `stop` is set by whoever wants the run to end; `histories` is the folder to keep histories in. Raises
    ContractError for what this version does not carry out, BrokerError where the broker does not do as asked.
    """
    refuse(contract.contract)
    make = _rabbitmq if broker.kind == "rabbitmq" else _kafka
    mark = f"{next(_numbers)}"  # one run may lay out several sites, each with a lane-1
    with make(contract, broker, f"{lifetime.token}-{mark}") as kind:
        yield Site(
            contract=contract,
            upstream=(broker.host, broker.port),
            namespace=kind.namespace,
            wire=kind.wire,
            directory=lambda lane: lifetime.directory(f"{mark}-{lane}"),
            environment=lifetime.environment,
            canary=kind.canary,
            lanes=kind.lanes,
            settings={**broker.settings, "version": broker.version, **kind.settings},
            histories=histories,
            stop=stop,
            restart=None if broker.provider == "external" else broker.restart,
        )


class _Kind(NamedTuple):
    """What depends on the kind of broker."""

    namespace: Callable[[str], Namespace]
    wire: Callable[[Names, AddressFor], Wire]
    canary: tuple[str, ...]
    settings: Mapping[str, str] = {}
    lanes: int | None = None


@contextlib.contextmanager
def _rabbitmq(contract: ContractFile, broker: Broker, run: str) -> Iterator[_Kind]:
    def namespace(name: str) -> RabbitmqNamespace:
        return RabbitmqNamespace(broker.url, broker.management_url, f"{run}-{name}", contract)

    queue_type = contract.contract.broker.queue_type
    yield _Kind(
        namespace=namespace,
        wire=lambda names, _: AmqpWire(names),
        canary=canary.command("rabbitmq", broker.url),
        settings={"queue_type": queue_type} if contract.contract.reads_queue_type else {},
        # Without the right to make virtual hosts, all there is is the one of the URL.
        lanes=None if broker.management_url else 1,
    )


@contextlib.contextmanager
def _kafka(contract: ContractFile, broker: Broker, run: str) -> Iterator[_Kind]:
    def namespace(name: str) -> KafkaNamespace:
        return KafkaNamespace(broker.url, f"{run}-{name}", contract.contract)

    with namespace("canary") as perch:
        topic = perch.topics[contract.contract.input.topic]
        yield _Kind(namespace=namespace, wire=KafkaWire, canary=canary.command("kafka", broker.url, topic))
