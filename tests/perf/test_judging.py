"""How long it takes to judge large saved histories, and that it grows as they do."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from comparing import at_most

from atleastonce.checks import CHECKS
from atleastonce.history import Event, Header, History, Observation, Output
from atleastonce.history_file import save
from atleastonce.schedule import Message, Schedule, publish

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

SIZES = (10_000, 100_000, 1_000_000)
ATTEMPTS = {"redelivered": 23, "many messages": 1}
"""How often each message is delivered: 5 events at the least, 49 where it is given back 22 times."""
JUDGE = """
import re, sys, time
from pathlib import Path
from atleastonce.history_file import read
from atleastonce.rejudging import rejudged
began = time.perf_counter()
def placed():
    global done
    for line, history in read(Path(sys.argv[1])):
        done = time.perf_counter()
        yield str(line), history
(found,) = rejudged(placed())
assert found.findings.tallies["nothing-lost"].kept == 1, found.findings
judged = time.perf_counter()
most = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(done - began, judged - done, most / 1024)
"""


def life(number: int, attempts: int) -> list[Event]:
    """Return what happens to one message: it is given back until the last attempt."""
    name, at = f"m{number}", number / 1000
    mine: dict[str, Any] = {"t": at, "message": name, "copy": f"{name}#1", "queue": "orders"}
    link: dict[str, Any] = {**mine, "service": "shop", "link": 3, "channel": 1, "tag": number}
    happened = [Event(event="published", **mine)]
    for attempt in range(attempts):
        happened.append(Event(event="deliver", side="broker", size=180, redelivered=attempt > 0, **link))
        if attempt < attempts - 1:
            happened.append(Event(event="nack", side="subject", requeue=True, **link))
    out: dict[str, Any] = {**link, "queue": "receipts"}
    happened += [Event(event="publish", side="subject", **out), Event(event="confirm", side="broker", **out)]
    return [*happened, Event(event="ack", side="subject", settles=True, **link)]


def large(size: int, attempts: int) -> History:
    """Return a history of about so many events in which every message has its one effect."""
    count = size // (2 * attempts + 3)
    names = [f"m{number}" for number in range(1, count + 1)]
    body = {"order_id": "<m1.id>", "items": {"burger": 1}}
    outputs = tuple(Output(queue="receipts", id=f"id-{name}", message=name, body=body) for name in names)
    changed = {f"/orders/<{name}.id> $.state": {"to": "done"} for name in names}
    clean = {**changed, "/stock $.burger": {"by": -count}}
    values = {
        **{f"/orders/<{name}.id>": {"state": "done"} for name in names},
        "/stock": {"burger": 10**7 - count},
    }
    happened = [event for number in range(1, count + 1) for event in life(number, attempts)]
    return History(
        header=Header(
            schedule=Schedule(messages={name: Message(id=name) for name in names}, actions=publish(*names)),
            declared={
                "ends": ["receipts"],
                "dead_letters": "dead",
                "promised": {name: {} for name in CHECKS},
            },
        ),
        events=(*happened, Event(event="quiet"), Event(event="canary")),
        observations=(
            Observation(observed="before", values={"/stock": {"burger": 10**7}}),
            Observation(observed="clean-1", values=clean, outputs=outputs),
            Observation(observed="clean-2", values=clean, outputs=outputs),
            Observation(observed="faulty", values=values, outputs=outputs),
        ),
    )


@pytest.mark.parametrize("shape", ATTEMPTS)
def test_judging_grows_as_the_history_does(benchmark, figures, compared, tmp_path: Path, shape: str) -> None:
    """Reading and judging on all promises, each in a process of its own: ten times as much takes ten times as long."""
    seconds: dict[int, float] = {}
    for size in SIZES:
        path = tmp_path / f"{size}.jsonl"
        save(large(size, ATTEMPTS[shape]), path)

        def judged(path: Path = path) -> str:
            return subprocess.check_output([sys.executable, "-c", JUDGE, str(path)], text=True)

        printed = benchmark.pedantic(judged, rounds=1) if size == SIZES[-1] else judged()
        reading, judging, memory = map(float, printed.split())
        seconds[size] = reading + judging
        figures[f"{shape}, {size:,} events: seconds to read"] = reading
        figures[f"{shape}, {size:,} events: seconds to judge"] = judging
        figures[f"{shape}, {size:,} events: MB at the most"] = memory
        compared.figure(f"{size:,} events read and judged, {shape}", "s", reading + judging)
    figures[f"{shape}: growth from {SIZES[0]:,} to {SIZES[-1]:,} events"] = (
        seconds[SIZES[-1]] / seconds[SIZES[0]]
    )
    most = f"{SIZES[-1]:,} events read and judged, {shape}"
    compared.figure(most, "MB at the most", memory, at_most(500, figure=True))
    # What fits into the processor's caches is quicker; what grows as the square would take a hundred times as long.
    assert seconds[SIZES[-1]] / seconds[SIZES[0]] < 3 * SIZES[-1] / SIZES[0]
