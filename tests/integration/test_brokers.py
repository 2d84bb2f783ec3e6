"""Every provider's broker behaves alike: it starts, serves, freezes, and comes back at its address with its data."""

import time
import uuid
from collections.abc import Iterator

import pika
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from atleastonce.brokers import Broker, Kind, ProviderName, open_broker, open_brokers, unavailable
from atleastonce.errors import BrokerError, BrokerUnavailable
from atleastonce.lifetimes import Lifetime
from atleastonce.pytest_plugin import Brokers

KINDS: list[Kind] = ["rabbitmq", "kafka"]
PROVIDERS: list[ProviderName] = ["native", "docker"]
SECONDS = 30.0  # how long an answer may take on a machine that is busy with other things


@pytest.fixture(scope="module")
def owned(atleastonce_lifetime: Lifetime) -> Iterator[Brokers]:
    """Give brokers of this module's own: what is restarted here is nobody else's."""
    brokers = Brokers(atleastonce_lifetime)
    try:
        yield brokers
    finally:
        brokers.close()


@pytest.fixture(params=[(kind, provider) for kind in KINDS for provider in PROVIDERS], ids="-".join)
def broker(request: pytest.FixtureRequest, owned: Brokers) -> Broker:
    """Give a running broker of each kind by each provider."""
    return owned.get(*request.param)


def publish(broker: Broker, place: str, body: bytes) -> None:
    """Publish a message that outlives a restart, and return once the broker has confirmed it."""
    if broker.kind == "kafka":
        errors: list[object] = []
        # What a broker that was frozen has not answered is sent again, and must not lie there twice.
        producer = Producer({"bootstrap.servers": broker.url, "log_level": 0, "enable.idempotence": True})
        producer.produce(place, body, on_delivery=lambda error, _: errors.append(error))
        assert producer.flush(SECONDS) == 0
        assert errors == [None]
        return
    with pika.BlockingConnection(pika.URLParameters(f"{broker.url}/%2F")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
        channel.basic_publish("", place, body, properties, mandatory=True)


def waiting(broker: Broker, place: str) -> list[bytes | None]:
    """Return the bodies of all messages that wait, and leave them there."""
    if broker.kind == "kafka":
        return in_log(broker, place)
    with pika.BlockingConnection(pika.URLParameters(f"{broker.url}/%2F")) as connection:
        channel = connection.channel()
        found = []
        while (answer := channel.basic_get(place))[0] is not None:
            found.append(answer[2])
        return found


def in_log(broker: Broker, topic: str) -> list[bytes | None]:
    """Read a topic of one partition from its beginning up to its end."""
    settings = {"bootstrap.servers": broker.url, "group.id": "reader", "log_level": 0}
    consumer = Consumer(settings)
    try:
        end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS)[1]
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [message.value() for message in consumer.consume(end, SECONDS)] if end else []
    finally:
        consumer.close()


def place(broker: Broker) -> str:
    """Make a durable queue, or a topic of one partition, and return its name."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    if broker.kind == "kafka":
        admin = AdminClient({"bootstrap.servers": broker.url, "log_level": 0})
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(SECONDS)
    else:
        with pika.BlockingConnection(pika.URLParameters(f"{broker.url}/%2F")) as connection:
            connection.channel().queue_declare(name, durable=True)
    return name


def test_it_says_what_it_is(broker: Broker) -> None:
    """Version and settings are the broker's own, for the record; the address is the loopback's."""
    assert broker.version.split(".")[0] in {"3", "4"}
    assert broker.host == "127.0.0.1"
    assert broker.settings["provider"] == broker.provider
    assert broker.reason == f"{broker.provider}: asked for"
    assert (broker.management_url is None) == (broker.kind == "kafka")


def test_what_is_published_is_there(broker: Broker) -> None:
    """A confirmed message can be read."""
    name = place(broker)
    publish(broker, name, b"1")
    assert waiting(broker, name) == [b"1"]


def test_a_restart_keeps_address_and_data(broker: Broker) -> None:
    """After an orderly restart the confirmed message waits at the same address."""
    before = broker.url
    name = place(broker)
    publish(broker, name, b"1")
    broker.restart()
    assert broker.url == before
    assert waiting(broker, name) == [b"1"]


def test_a_killed_broker_is_away_until_it_is_restarted(broker: Broker) -> None:
    """A kill is felt at once; afterwards the confirmed message waits at the same address."""
    name = place(broker)
    # RabbitMQ confirms messages once they are on the disk, but a queue's declaration before that (its transaction
    # log is written later): a kill right behind it may take the queue. An orderly restart writes it.
    broker.restart()
    publish(broker, name, b"1")
    broker.kill()
    with pytest.raises(BrokerUnavailable), open_broker(broker.kind, Lifetime(), url=broker.url):
        pass
    broker.restart()
    assert waiting(broker, name) == [b"1"]


def test_a_paused_broker_answers_after_it_is_resumed(broker: Broker) -> None:
    """Nothing is answered while it is frozen, and nothing is lost by it."""
    name = place(broker)
    broker.pause()
    try:
        # nobody answers: the handshake gives up on its own
        with pytest.raises(BrokerUnavailable), open_broker(broker.kind, Lifetime(), url=broker.url):
            pass
    finally:
        broker.resume()
    publish(broker, name, b"1")
    assert waiting(broker, name) == [b"1"]


def test_the_first_group_waits_for_nothing(owned: Brokers) -> None:
    """The coordinator was loaded when the broker started: a first group reads within a second or two."""
    kafka = owned.get("kafka", "native")
    topic = place(kafka)
    publish(kafka, topic, b"1")
    settings = {"bootstrap.servers": kafka.url, "group.id": topic, "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    try:
        consumer.subscribe([topic])
        began = time.monotonic()
        message = consumer.poll(SECONDS)
        assert message is not None
        assert message.value() == b"1"
        assert time.monotonic() - began < 2.5  # 3.2 s without the warm-up, 0.2 s with it
    finally:
        consumer.close()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_both_start_side_by_side(
    atleastonce_lifetime: Lifetime, owned: Brokers, provider: ProviderName
) -> None:
    """Both are there in the time of the slower one, and both are gone at the end."""
    for kind in KINDS:
        owned.get(kind, provider)  # skips where there is none
    with open_brokers(KINDS, atleastonce_lifetime, provider=provider) as brokers:
        addresses = [brokers[kind].url for kind in KINDS]
        assert [brokers[kind].kind for kind in KINDS] == KINDS
    for kind, url in zip(KINDS, addresses, strict=True):
        with pytest.raises(BrokerUnavailable), open_broker(kind, atleastonce_lifetime, url=url):
            pass


@pytest.mark.parametrize("kind", KINDS)
def test_auto_says_why(kind: Kind, atleastonce_lifetime: Lifetime) -> None:
    """A container where there can be one; else a process, and the reason against the container."""
    expected = (
        "docker: an engine" if unavailable(kind, "docker") is None else "native: its programs are installed"
    )
    said: list[str] = []
    with open_broker(kind, atleastonce_lifetime, say=said.append) as broker:
        assert broker.reason.startswith(expected)
        assert broker.reason in said[0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_external_broker_is_reached_and_not_harmed(kind: Kind, owned: Brokers) -> None:
    """Reading its version is all that we do to it; restart, pause and kill are refused."""
    running = owned.get(kind, "native")
    with open_broker(kind, Lifetime(), url=running.url) as external:
        assert (external.provider, external.port) == ("external", running.port)
        assert external.version == (running.version if kind == "rabbitmq" else "metadata.version 30")
        for act in (external.restart, external.pause, external.resume, external.kill):
            with pytest.raises(BrokerError, match="not ours"):
                act()
