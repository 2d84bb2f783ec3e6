"""Lays out the site of a run: chooses transport, relay and canary by the kind of broker, once and only here."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from atleastonce import canary
from atleastonce.brokers import Broker
from atleastonce.contract import ContractFile, Topic
from atleastonce.layout import Site
from atleastonce.lifetimes import Lifetime
from atleastonce.relay.amqp import AmqpWire
from atleastonce.relay.codec import Names, Wire
from atleastonce.relay.http import HttpWire
from atleastonce.relay.kafka import KafkaWire
from atleastonce.relay.kafka_rewrite import AddressFor
from atleastonce.scope import refuse
from atleastonce.transports import Namespace
from atleastonce.transports.direct import NoBroker
from atleastonce.transports.kafka import KafkaNamespace
from atleastonce.transports.rabbitmq import RabbitmqNamespace

_numbers = itertools.count(1)


@contextlib.contextmanager
def laid_out(
    contract: ContractFile,
    broker: Broker | None,
    lifetime: Lifetime,
    stop: threading.Event,
    histories: Path | None = None,
) -> Iterator[Site]:
    """Yield a site for lanes of this contract on this broker; None where the contract needs none.

    `stop` is set by whoever wants the run to end; `histories` is the folder to keep histories in. Raises
    ContractError for what this version does not carry out, BrokerError where the broker does not do as asked.
    """
    refuse(contract.contract)
    mark = f"{next(_numbers)}"  # one run may lay out several sites, each with a lane-1
    with _kind(contract, broker, f"{lifetime.token}-{mark}") as kind:
        yield Site(
            contract=contract,
            upstream=None if broker is None else (broker.host, broker.port),
            namespace=kind.namespace,
            wire=kind.wire,
            directory=lambda lane: lifetime.directory(f"{mark}-{lane}"),
            environment=lifetime.environment,
            canary=kind.canary,
            lanes=1 if contract.contract.common_database else kind.lanes,
            settings=kind.settings,
            histories=histories,
            stop=stop,
            restart=None if broker is None or broker.provider == "external" else broker.restart,
        )


_CANARY = "canary"


class _Kind(NamedTuple):
    """What depends on the kind of broker."""

    namespace: Callable[[str], Namespace]
    wire: Callable[[Names, AddressFor], Wire]
    canary: tuple[str, ...]
    settings: Mapping[str, str] = {}
    lanes: int | None = None


def _kind(
    contract: ContractFile, broker: Broker | None, run: str
) -> contextlib.AbstractContextManager[_Kind]:
    if broker is None:
        found = _Kind(NoBroker, lambda names, _: HttpWire(names), canary.command("http"))
        return contextlib.nullcontext(found)
    return (_rabbitmq if broker.kind == "rabbitmq" else _kafka)(contract, broker, run)


@contextlib.contextmanager
def _rabbitmq(contract: ContractFile, broker: Broker, run: str) -> Iterator[_Kind]:
    def namespace(name: str) -> RabbitmqNamespace:
        return RabbitmqNamespace(broker.url, broker.management_url, f"{run}-{name}", contract)

    queue_type = contract.contract.broker.queue_type
    yield _Kind(
        namespace=namespace,
        wire=lambda names, _: AmqpWire(names),
        canary=canary.command("rabbitmq", broker.url),
        settings={
            **broker.settings,
            "version": broker.version,
            **({"queue_type": queue_type} if contract.contract.reads_queue_type else {}),
        },
        # Without the right to make virtual hosts, all there is is the one of the URL.
        lanes=None if broker.management_url else 1,
    )


@contextlib.contextmanager
def _kafka(contract: ContractFile, broker: Broker, run: str) -> Iterator[_Kind]:
    def namespace(name: str) -> KafkaNamespace:
        return KafkaNamespace(broker.url, f"{run}-{name}", contract.contract)

    # What comes in over HTTP, or by a topic of the service's own, leaves no other to send the canary's messages to.
    own = msgspec.structs.replace(contract.contract, topics={_CANARY: Topic()})
    with KafkaNamespace(broker.url, f"{run}-{_CANARY}", own) as perch:
        topic = perch.topics[_CANARY]
        yield _Kind(
            namespace=namespace,
            wire=KafkaWire,
            canary=canary.command("kafka", broker.url, topic),
            settings={**broker.settings, "version": broker.version},
        )
