"""The recording relay on Kafka against a direct connection, with clients in processes of their own."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from comparing import at_least
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from atleastonce.recording import Record
from atleastonce.relay.codec import Names
from atleastonce.relay.kafka import KafkaWire
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import Relay

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

CLIENT = Path(__file__).parent / "bare_kafka.py"
RECORDS = 300_000
ROUNDS = 5


def rate(what: str, servers: str, topic: str) -> float:
    """Return how many records a second a client produces or consumes."""
    command = [sys.executable, str(CLIENT), what, servers, topic, str(RECORDS)]
    return float(subprocess.check_output(command, text=True))


def new_topic(servers: str) -> str:
    """Make a topic of one partition."""
    name = f"bare-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    return name


def recorded(record: Record) -> int:
    """Return how many records passed, as was recorded: a batch in which none is ours is one event."""
    passed = [event for event in record.events() if event.event in ("produce", "fetch")]
    return sum(int(event.note.partition(" ")[0]) if event.note else 1 for event in passed)


def test_relay_against_direct_on_kafka(kafka, compared):
    """Pairs of runs, one right behind the other; what is consumed is what was produced directly."""
    record, upstream = Record(), (kafka.host, kafka.port)
    with (
        Loop("relay") as loop,
        Relay(
            loop, upstream, "client", lambda at: KafkaWire(Names(), at), record.add, lambda *_: None
        ) as relay,
    ):
        through = "{}:{}".format(*relay.address)
        rate("produce", kafka.url, new_topic(kafka.url))  # what a broker does for the first time takes longer
        pairs: dict[str, list[tuple[float, float]]] = {"produce": [], "consume": []}
        for _ in range(ROUNDS):
            topics = new_topic(kafka.url), new_topic(kafka.url)
            for what, found in pairs.items():
                record.begin()
                to = topics[0] if what == "produce" else topics[1]
                found.append((rate(what, through, to), rate(what, kafka.url, topics[1])))
                assert recorded(record) == RECORDS
    for what, goal in (("produce", 0.8), ("consume", 0.9)):
        compared.pairs(f"Kafka relay, recording, {what}", "records/s", "direct", pairs[what], at_least(goal))
