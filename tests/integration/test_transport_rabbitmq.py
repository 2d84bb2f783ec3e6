"""Our own dealings with a real RabbitMQ: reading what came out."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pytest

from atleastonce.brokers import Broker
from atleastonce.contract import BrokerTable, Contract, ContractFile, Input, OutputTable
from atleastonce.transports import Subscription
from atleastonce.transports.rabbitmq import RabbitmqNamespace

OUTCOMES = ("quorum", "classic")
CONTRACT = Contract(
    broker=BrokerTable(kind="rabbitmq"),
    input=Input(queue="orders", message="{id}"),
    output=OutputTable(queues=OUTCOMES, dead_letters="letters"),
)


@pytest.fixture
def namespace(rabbitmq: Broker) -> Iterator[RabbitmqNamespace]:
    """Return a lane's part of a running RabbitMQ."""
    contract = ContractFile(path=Path("atleastonce.toml"), text="", contract=CONTRACT)
    name = f"test-{uuid.uuid4().hex[:8]}"
    with RabbitmqNamespace(rabbitmq.url, rabbitmq.management_url, name, contract) as namespace:
        yield namespace


@pytest.fixture
def channel(
    namespace: RabbitmqNamespace, rabbitmq: Broker
) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    """Return a channel of the subject's, with a queue of each type."""
    at = urlsplit(rabbitmq.url)
    parameters = pika.URLParameters(namespace.placeholders(at.hostname or "", at.port or 0)["amqp_url"])
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for queue in OUTCOMES:
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue})
        yield channel


@pytest.mark.parametrize("queue", OUTCOMES)
@pytest.mark.parametrize("count", [1, 4, 5, 300])
def test_outputs_are_taken_once_in_their_order(namespace, channel, queue, count):
    """Few are taken one by one, many together; none is left, lost or given back."""
    for number in range(count):
        properties = pika.BasicProperties(message_id=f"{number}", headers={"n": number})
        channel.basic_publish("", queue, f"{number}".encode(), properties)
    taken = namespace.outputs()
    assert [(each.queue, each.body) for each in taken] == [(queue, f"{n}".encode()) for n in range(count)]
    assert [(each.properties["message_id"], each.headers["n"]) for each in taken] == [
        (f"{n}", n) for n in range(count)
    ]
    assert namespace.outputs() == []
    channel.connection.close()
    assert namespace.outputs() == []


def test_outputs_that_come_meanwhile_are_taken_too(namespace, channel):
    """Whatever has come out is returned by this reading or by the next one, and by one of them only."""
    taken = []
    for number in range(200):
        channel.basic_publish("", "classic", f"{number}".encode())
        if number % 10 == 0:
            taken += namespace.outputs()
    taken += namespace.outputs()
    assert [each.body for each in taken] == [f"{n}".encode() for n in range(200)]


@pytest.mark.parametrize("queue", OUTCOMES)
def test_outputs_are_read_while_more_of_them_come(namespace, channel, queue):
    """What comes while reading begins and ends is neither lost, nor taken twice, nor out of order."""
    sent = [f"{number}".encode() for number in range(2_000)]

    def publish() -> None:
        for body in sent:
            channel.basic_publish("", queue, body)

    publishing = threading.Thread(target=publish)
    publishing.start()
    taken: list[bytes | None] = []
    while publishing.is_alive():
        taken += [each.body for each in namespace.outputs()]
    publishing.join()
    taken += [each.body for each in namespace.outputs()]
    assert taken == sent
    channel.connection.close()


def test_a_queue_that_is_another_connections_own_counts_as_empty(namespace, channel):
    """The broker tells its depth to nobody else; what waits beside it is counted, and when it is gone it is gone."""
    channel.queue_declare("own", exclusive=True)
    channel.basic_publish("", "own", b"")
    channel.basic_publish("", "classic", b"")
    for _ in range(2):
        assert namespace.depth({Subscription("own"), Subscription("classic")}) == 1
    assert namespace.exists("own")
    channel.connection.close()
    assert not namespace.exists("own")


def test_only_queues_of_exchanges(namespace, channel):
    """One that is bound alone, however often; not where a message may reach another, or the exchange may end."""
    aside = {"alternate-exchange": "amq.fanout"}
    for exchange, arguments, ends in (("one", {}, False), ("aside", aside, False), ("ends", {}, True)):
        channel.exchange_declare(exchange, "topic", durable=True, auto_delete=ends, arguments=arguments)
        for key in ("a.*", "b.*"):
            channel.queue_bind("quorum", exchange, key)
    for exchange in ("two", "handed on"):
        channel.exchange_declare(exchange, "fanout", durable=True)
        channel.queue_bind("quorum", exchange)
    channel.queue_bind("classic", "two")
    channel.exchange_bind("amq.topic", "handed on")
    channel.exchange_declare("none", "fanout")
    assert namespace.only_queues() == {"one": "quorum"}
