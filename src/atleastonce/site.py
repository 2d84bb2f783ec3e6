"""Lays out the site of a run: chooses transport, relay and canary by the kind of broker, once and only here."""

import contextlib
import threading
from collections.abc import Iterator

from atleastonce import canary
from atleastonce.brokers import Broker
from atleastonce.contract import ContractFile
from atleastonce.lane import Site
from atleastonce.lifetimes import Lifetime
from atleastonce.relay.amqp import AmqpWire
from atleastonce.relay.kafka import KafkaWire
from atleastonce.transports.kafka import KafkaNamespace
from atleastonce.transports.rabbitmq import RabbitmqNamespace


@contextlib.contextmanager
def laid_out(
    contract: ContractFile, broker: Broker, lifetime: Lifetime, stop: threading.Event
) -> Iterator[Site]:
    """Yield a site for lanes of this contract on this broker; raise BrokerError where that cannot be made."""
    make = _rabbitmq if broker.kind == "rabbitmq" else _kafka
    with make(contract, broker, lifetime, stop) as site:
        yield site


@contextlib.contextmanager
def _rabbitmq(
    contract: ContractFile, broker: Broker, lifetime: Lifetime, stop: threading.Event
) -> Iterator[Site]:
    settings = {**broker.settings, "queue_type": contract.contract.broker.queue_type}
    yield Site(
        contract=contract,
        upstream=(broker.host, broker.port),
        namespace=lambda name: RabbitmqNamespace(
            broker.url, broker.management_url, f"{lifetime.token}-{name}", contract.contract
        ),
        wire=lambda names, _: AmqpWire(names),
        directory=lifetime.directory,
        environment=lifetime.environment,
        canary=canary.command("rabbitmq", broker.url),
        settings=settings,
        stop=stop,
    )


@contextlib.contextmanager
def _kafka(
    contract: ContractFile, broker: Broker, lifetime: Lifetime, stop: threading.Event
) -> Iterator[Site]:
    def namespace(name: str) -> KafkaNamespace:
        return KafkaNamespace(broker.url, f"{lifetime.token}-{name}", contract.contract)

    with namespace("canary") as perch:
        yield Site(
            contract=contract,
            upstream=(broker.host, broker.port),
            namespace=namespace,
            wire=KafkaWire,
            directory=lifetime.directory,
            environment=lifetime.environment,
            canary=canary.command("kafka", broker.url, perch.topics[contract.contract.input.topic]),
            settings=broker.settings,
            stop=stop,
        )
