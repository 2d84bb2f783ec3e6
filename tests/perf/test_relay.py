"""The recording relay against a direct connection, in one run, as a ratio."""

import time

import pika
import pytest

from atleastonce.recording import Record
from atleastonce.relay.amqp import AmqpWire
from atleastonce.relay.codec import Names
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import Relay

pytestmark = [pytest.mark.perf, pytest.mark.timeout(300)]

MESSAGES = 5_000
ROUNDS = 5
BODY = b"x" * 200


def drained(url: str) -> float:
    """Return how many messages a second one pika consumer takes and acknowledges, one by one."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    for _ in range(MESSAGES):
        channel.basic_publish("", queue, BODY)
    channel.basic_qos(prefetch_count=200)
    began = time.perf_counter()
    for count, (method, _, _) in enumerate(channel.consume(queue), start=1):
        channel.basic_ack(method.delivery_tag)
        if count == MESSAGES:
            break
    seconds = time.perf_counter() - began
    connection.close()
    return MESSAGES / seconds


def test_relay_against_direct_with_pika(benchmark, rabbitmq, figures):
    """Pairs of runs, one right behind the other, so that a busy machine slows both."""
    record = Record()
    upstream = (rabbitmq.host, rabbitmq.port)
    with (
        Loop("relay") as loop,
        Relay(
            loop, upstream, "consumer", lambda _: AmqpWire(Names()), record.add, lambda _trap, _link: None
        ) as relay,
    ):
        host, port = relay.address
        through = f"amqp://guest:guest@{host}:{port}/%2F"
        pairs = [(drained(through), drained(rabbitmq.url)) for _ in range(ROUNDS)]
        benchmark.pedantic(drained, args=(through,), rounds=1)
    ratios = sorted(relayed / direct for relayed, direct in pairs)
    figures["relay: messages/s, median"] = sorted(relayed for relayed, _ in pairs)[ROUNDS // 2]
    figures["direct: messages/s, median"] = sorted(direct for _, direct in pairs)[ROUNDS // 2]
    figures["relay / direct, median"] = ratios[ROUNDS // 2]
    benchmark.extra_info.update(figures)
    deliveries = sum(event.event == "deliver" for event in record.events())
    assert deliveries == MESSAGES * (ROUNDS + 1)
