"""The relay between real Kafka clients and a real broker."""

import contextlib
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from atleastonce.brokers import Broker
from atleastonce.contract import BrokerTable, Contract, Input, OutputTable, Topic
from atleastonce.history import Event
from atleastonce.relay.codec import COPY_HEADER, Names
from atleastonce.relay.kafka import KafkaWire
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import Relay
from atleastonce.schedule import Trap, When
from atleastonce.transports import Envelope, Subscription
from atleastonce.transports.kafka import KafkaNamespace

CONTRACT = Contract(
    broker=BrokerTable(kind="kafka"),
    input=Input(topic="orders", message="{message_id}"),
    output=OutputTable(topics=("outcomes",), dead_letters="letters"),
    topics={"orders": Topic(partitions=1), "outcomes": Topic(partitions=2), "letters": Topic()},
)

SUBJECT = """
import sys
from confluent_kafka import Consumer
servers, group, topic, protocol, instance = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": servers, "group.id": group, "group.protocol": protocol,
                     "group.instance.id": instance, "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([topic])
while True:
    message = consumer.poll(1)
    if message is not None and not message.error():
        consumer.commit(message, asynchronous=False)
        print(message.value().decode(), flush=True)
"""


@dataclass
class Scene:
    """A lane on the broker, a relay before it, and what passed."""

    namespace: KafkaNamespace
    names: Names
    ids: list[str]
    loop: Loop
    events: list[Event] = field(default_factory=list)
    relay: Relay = field(init=False)
    """Its traps absorb what comes after them, as a kill does."""

    @property
    def servers(self) -> str:
        """Where a subject finds the broker: at the relay."""
        return "{}:{}".format(*self.relay.address)

    def publish(self, *numbers: int) -> None:
        """Publish the first copy of these messages."""
        for n in numbers:
            headers = {COPY_HEADER: self.names.copy_header(f"m{n}#1")}
            assert self.namespace.publish(Envelope(self.ids[n].encode(), headers=headers)).confirmed

    def happened(self, event: str, of: str = "") -> list[str | None]:
        """Return the copies (else messages) of these events in order."""
        return [e.copy or e.message for e in self.seen() if e.event == event and e.of == of]

    def settled(self) -> set[str | None]:
        """Return the copies that were settled."""
        return {e.copy for e in self.seen() if e.settles}

    def until(self, event: str) -> None:
        """Wait until an event happened."""
        deadline = time.monotonic() + 10
        while not self.happened(event):
            assert time.monotonic() < deadline

    def seen(self) -> list[Event]:
        """Return the events, once the relay has recorded what it has passed on."""
        return self.loop.call(lambda: list(self.events))


@pytest.fixture
def scene(kafka: Broker) -> Iterator[Scene]:
    """Return a lane with a relay before it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    with KafkaNamespace(kafka.url, name, CONTRACT) as namespace, Loop("relay") as loop:
        ids = [str(uuid.uuid4()) for _ in range(4)]
        names = Names()
        names.begin(name, [(value, f"m{n}") for n, value in enumerate(ids)], {})
        scene = Scene(namespace, names, ids, loop)
        scene.relay = Relay(
            loop,
            (kafka.host, kafka.port),
            "subject",
            lambda at: KafkaWire(names, at),
            lambda *events: scene.events.extend(events),
            lambda *_: scene.relay.absorb(),
        )
        with scene.relay:
            yield scene
            assert loop.failure is None
        assert [e.note for e in scene.events if e.event == "unreadable"] == []


def consumer(scene: Scene, protocol: str = "classic") -> Consumer:
    """Return a consumer of the input, behind the relay."""
    settings = {
        "bootstrap.servers": scene.servers,
        "group.id": scene.namespace.group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 0,
    }
    opened = Consumer(settings)
    opened.subscribe([scene.namespace.topics["orders"]])
    return opened


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_committed_copy_is_settled(scene: Scene, protocol: str) -> None:
    """Each copy is fetched, covered by a commit, and settled by the answer to it; then the depth is zero."""
    scene.publish(0, 1, 2)
    subject = consumer(scene, protocol)
    for _ in range(3):
        message = subject.poll(10)
        assert message is not None
        subject.commit(message=message, asynchronous=False)
    assert scene.relay.subscribed()
    subject.close()
    copies = ["m0#1", "m1#1", "m2#1"]
    assert scene.happened("fetch") == copies
    assert scene.happened("commit") == copies
    assert scene.happened("response", of="commit") == copies
    assert scene.settled() == set(copies)
    orders = Subscription(scene.namespace.topics["orders"], scene.namespace.group)
    assert scene.namespace.depth([orders]) == 0


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_productions_are_read(scene: Scene, codec: str) -> None:
    """What the subject produces is recorded record by record, whatever the compression, and confirmed."""
    topic = scene.namespace.topics["outcomes"]
    subject = Producer({"bootstrap.servers": scene.servers, "compression.type": codec, "linger.ms": 50})
    for n in range(3):
        subject.produce(topic, scene.ids[n] * 20, headers={"original": scene.ids[n]}, partition=0)
    assert subject.flush(10) == 0
    assert scene.happened("produce") == ["m0", "m1", "m2"]
    confirms = [(e.message, e.offset, e.ok) for e in scene.seen() if e.event == "confirm"]
    assert confirms == [("m0", 0, True), ("m1", 1, True), ("m2", 2, True)]
    assert [letter.body for letter in scene.namespace.outputs()] == [i.encode() * 20 for i in scene.ids[:3]]
    assert scene.namespace.outputs() == []


def test_a_transaction_settles_with_its_end(scene: Scene) -> None:
    """Offsets sent to a transaction settle nothing until its commit is answered, and nothing if aborted."""
    scene.publish(0, 1)
    orders, outcomes = scene.namespace.topics["orders"], scene.namespace.topics["outcomes"]
    source = consumer(scene)
    producer = Producer({"bootstrap.servers": scene.servers, "transactional.id": scene.namespace.name})
    producer.init_transactions(10)
    for commit in (True, False):
        message = source.poll(10)
        assert message is not None
        producer.begin_transaction()
        producer.produce(outcomes, message.value())
        position = TopicPartition(orders, 0, (message.offset() or 0) + 1)
        producer.send_offsets_to_transaction([position], source.consumer_group_metadata(), 10)
        producer.commit_transaction(10) if commit else producer.abort_transaction(10)
    source.close()
    assert scene.happened("end-txn") == ["m0#1", "m1#1"]
    assert scene.settled() == {"m0#1"}
    assert [letter.body for letter in scene.namespace.outputs()] == [scene.ids[0].encode()]


def test_burial_aborts_an_open_transaction(scene: Scene, kafka: Broker) -> None:
    """A subject that dies inside a transaction hides nothing from readers behind it."""
    orders, outcomes = scene.namespace.topics["orders"], scene.namespace.topics["outcomes"]
    code = f"""
import os, signal
from confluent_kafka import Consumer, Producer, TopicPartition
producer = Producer({{"bootstrap.servers": {scene.servers!r}, "transactional.id": {orders!r}}})
producer.init_transactions(10)
producer.begin_transaction()
producer.produce({outcomes!r}, b"never", partition=0)
producer.flush(10)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert scene.relay.bury()
    outside = Producer({"bootstrap.servers": kafka.url})
    outside.produce(outcomes, b"behind it", partition=0)
    assert outside.flush(10) == 0
    until = time.monotonic() + 5  # the markers follow the end of the transaction
    while not (letters := scene.namespace.outputs()) and time.monotonic() < until:
        pass
    assert [letter.body for letter in letters] == [b"behind it"]


@contextlib.contextmanager
def running(scene: Scene, protocol: str, instance: str = "") -> Iterator[subprocess.Popen[str]]:
    """Start a consumer that commits, then prints, and kill and bury it afterwards."""
    topic = scene.namespace.topics["orders"]
    arguments = [
        sys.executable,
        "-c",
        SUBJECT,
        scene.servers,
        scene.namespace.group,
        topic,
        protocol,
        instance,
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process
        process.kill()
    began = time.monotonic()
    assert scene.relay.bury()
    assert time.monotonic() - began < 1


def printed(process: subprocess.Popen[str]) -> str:
    """Return the next line that a consumer prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("instance", ["", "static"])
@pytest.mark.parametrize(("protocol", "within"), [("classic", 0.5), ("consumer", 0.5)])
def test_a_buried_consumer_starts_again_at_once(
    scene: Scene, protocol: str, within: float, instance: str
) -> None:
    """A consumer killed with SIGKILL has its next message right after its restart, not after its session.

    The clock runs from the first frame of the restarted process, so that its start is not counted. With the
    newer protocol a broker assigns at most once in ``group.consumer.assignment.interval.ms`` (1 s since Kafka
    4.3); who asks too early asks again after the heartbeat interval (5 s).
    """
    scene.publish(0)
    with running(scene, protocol, instance) as first:
        assert printed(first) == scene.ids[0]
    scene.publish(1)
    seen = len(scene.events)
    with running(scene, protocol, instance) as second:
        assert printed(second) == scene.ids[1]
    opened = next(e.t for e in scene.events[seen:] if e.event == "open")
    fetched = next(e.t for e in scene.events[seen:] if e.event == "fetch")
    assert fetched - opened < within


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_consumer_killed_at_its_commit_is_buried(scene: Scene, when: When) -> None:
    """A commit that never left the relay is not awaited, and its message comes again; else it is settled."""
    scene.publish(0)
    scene.relay.traps.arm([Trap(when=when, event="commit", message="m0", do="kill")])
    with running(scene, "classic"):
        scene.until("sprung")
    assert scene.settled() == (set() if when == "before" else {"m0#1"})
    scene.publish(1)
    with running(scene, "classic") as second:
        assert printed(second) == scene.ids[0 if when == "before" else 1]
    assert scene.settled() >= {"m0#1"}


def test_whoever_is_cut_off_is_not_kept_waiting(scene: Scene) -> None:
    """A new connection is reset at once, not left without an answer, until the link is mended."""
    scene.relay.cut(refuse=True)
    refused = socket.create_connection(scene.relay.address, timeout=5)
    with refused, contextlib.suppress(ConnectionResetError):
        assert refused.recv(1) == b""
    assert scene.happened("open") == []
    scene.relay.mend()
    with socket.create_connection(scene.relay.address, timeout=5):
        scene.until("open")
