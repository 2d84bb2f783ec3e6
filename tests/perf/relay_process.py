"""A relay to RabbitMQ in a process of its own, whose memory can be asked for: `relay_process.py HOST PORT`.

It prints where it listens, and answers every line of its input. `memory`: megabytes that it holds now. `record`: from
now on events are kept, as in a case. `judge`: judges them on every promise; events, and the most megabytes ever held.
"""

import re
import sys
from pathlib import Path

from atleastonce.checks import CHECKS, judge
from atleastonce.history import Event, Header, History, Observation
from atleastonce.recording import Record
from atleastonce.relay.amqp import AmqpWire
from atleastonce.relay.codec import Names
from atleastonce.relay.loop import Loop
from atleastonce.relay.tcp import Relay


def megabytes(field: str) -> float:
    """Return a figure of this process, of the kernel's: VmRSS is what it holds now, VmHWM the most ever."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(re.findall(rf"{field}:\s+(\d+) kB", status)[0]) / 1024


def judged(record: Record) -> str:
    """Judge what was recorded, as one case."""
    header = Header(declared={"promised": {name: {} for name in CHECKS}})
    observations = tuple(Observation(observed=each) for each in ("before", "clean-1", "clean-2", "faulty"))
    history = History(header=header, events=record.events(), observations=observations)
    for promise in CHECKS:
        judge(history, promise)
    return f"{len(history.events)} {megabytes('VmHWM')}"


def main(host: str, port: str) -> None:
    """Pass on until the input ends."""
    record, kept = Record(), False

    def take(*events: Event) -> None:
        if kept:
            record.add(*events)

    with (
        Loop("relay") as loop,
        Relay(
            loop, (host, int(port)), "consumer", lambda _: AmqpWire(Names()), take, lambda *_: None
        ) as relay,
    ):
        print(*relay.address, flush=True)  # noqa: T201 - what it is asked for
        for line in sys.stdin:
            kept = kept or line.strip() == "record"
            answer = judged(record) if line.strip() == "judge" else f"{megabytes('VmRSS')}"
            print(answer, flush=True)  # noqa: T201 - what it is asked for


if __name__ == "__main__":
    main(*sys.argv[1:])
