"""The recording relay against a direct connection and against Toxiproxy, with clients in processes of their own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from comparing import at_least, at_most
from foreign import messages_received, perf_test, toxiproxy

from atleastonce.recording import Record
from atleastonce.relay.amqp import AmqpWire
from atleastonce.relay.codec import Names
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import Relay

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
MESSAGES = 10_000
ROUNDS = 5
SECONDS = 8
MILLION = 1_000_000
"""Messages: behind the first million every buffer has its size, 2 MB in all, so what grows does in the second."""
RECORDED = 250_000
"""Messages of four events each: publish, confirm, deliver, ack."""


@contextmanager
def relayed(broker) -> Iterator[tuple[Record, str]]:
    """Lay a relay to RabbitMQ, in this process; give what it records, and its URL."""
    record, upstream = Record(), (broker.host, broker.port)
    with (
        Loop("relay") as loop,
        Relay(
            loop, upstream, "consumer", lambda _: AmqpWire(Names()), record.add, lambda _trap, _link: None
        ) as relay,
    ):
        yield record, url(*relay.address)


def url(host: str, port: int) -> str:
    """Return the address of a broker, or of what stands before it."""
    return f"amqp://guest:guest@{host}:{port}/%2F"


def drained(url: str) -> float:
    """Return how many messages a second one pika consumer takes and acknowledges, one by one."""
    command = [sys.executable, str(HERE / "bare_amqp.py"), "drain", url, str(MESSAGES)]
    return float(subprocess.check_output(command, text=True))


def test_relay_against_direct_with_pika(benchmark, rabbitmq, figures, compared):
    """Pairs of runs, one right behind the other, so that a busy machine slows both."""
    with relayed(rabbitmq) as (record, through):
        pairs = []
        for _ in range(ROUNDS):
            record.begin()
            pairs.append((drained(through), drained(rabbitmq.url)))
        record.begin()
        benchmark.pedantic(drained, args=(through,), rounds=1)
        events = record.events()
    ratios = sorted(relayed / direct for relayed, direct in pairs)
    figures["relay: messages/s, median"] = sorted(relayed for relayed, _ in pairs)[ROUNDS // 2]
    figures["direct: messages/s, median"] = sorted(direct for _, direct in pairs)[ROUNDS // 2]
    figures["relay / direct, median"] = ratios[ROUNDS // 2]
    compared.pairs("relay, recording, pika", "messages/s", "direct", pairs, at_least(0.9))
    assert sum(event.event == "deliver" for event in events) == MESSAGES


def test_relay_against_toxiproxy_with_perf_test(rabbitmq, compared, tmp_path):
    """In turns, the order reversed every other round; PerfTest's own warm-up is in every figure."""
    command = perf_test()
    rates: dict[str, list[float]] = {"direct": [], "relay": [], "toxiproxy": []}
    with relayed(rabbitmq) as (record, through), toxiproxy((rabbitmq.host, rabbitmq.port), tmp_path) as other:
        ways = {"relay": through, "direct": rabbitmq.url, "toxiproxy": url(*other)}
        for number in range(ROUNDS):
            for way in list(ways)[:: -1 if number % 2 else 1]:
                record.begin()
                rates[way].append(messages_received(command, ways[way], "-z", str(SECONDS)))
    what, unit = "relay, recording, PerfTest", "messages/s"
    pairs = list(zip(rates["relay"], rates["toxiproxy"], strict=True))
    compared.pairs(what, unit, "Toxiproxy, not recording", pairs, at_least(1.0))
    compared.pairs(what, unit, "direct", list(zip(rates["relay"], rates["direct"], strict=True)))


def test_memory_of_the_relay(rabbitmq, compared):
    """What it holds, without what it records, around a second million messages; and a million events, judged."""
    command, direct = perf_test(), (rabbitmq.host, str(rabbitmq.port))
    with subprocess.Popen(
        [sys.executable, HERE / "relay_process.py", *direct],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        asks, answers = process.stdin, process.stdout
        assert asks is not None
        assert answers is not None

        def told(asked: str = "") -> list[str]:
            if asked:
                asks.write(f"{asked}\n")
            return answers.readline().split()

        host, port = told()
        through = url(host, int(port))
        held = []
        for _ in range(2):
            messages_received(command, through, "-C", str(MILLION), "-D", str(MILLION))
            held.append(float(*told("memory")))
        told("record")
        messages_received(command, through, "-C", str(RECORDED), "-D", str(RECORDED))
        events, most = map(float, told("judge"))
        asks.close()
    (grown,) = (later - earlier for earlier, later in pairwise(held))
    compared.figure("relay: growth over 1,000,000 messages", "MB", grown, at_most(1, figure=True))
    compared.figure(
        f"{events:,.0f} events recorded and judged", "MB at the most", most, at_most(500, figure=True)
    )
