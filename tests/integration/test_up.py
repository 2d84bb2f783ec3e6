"""`atleastonce up`: the reference services to play with, the walk-through, and the end of it all."""

import contextlib
import io
import os
import pty
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from running import PROGRAM, await_nothing_left, called, left_of, read_until

from atleastonce.commands.up import contract
from atleastonce.commands.up_desk import Desk
from atleastonce.commands.up_input import lines
from atleastonce.commands.up_lines import depths
from atleastonce.commands.up_queues import DEAD, ORDERS, Queues
from atleastonce.commands.up_services import Services
from atleastonce.commands.walkthrough import Walk
from atleastonce.transports.rabbitmq_management import Management

CAME_OUT = [
    "answer to POST /order: expected 200 success; found 200 success",
    "stock: expected burger 100 → 99, fries 200 → 198; found burger 100 → 99, fries 200 → 198",
    "notification: expected InventoryReserved; found InventoryReserved",
    "answers with inventory stopped: expected 3 times 200 success; found 3 times 200 success",
    f"depth of {ORDERS} with inventory stopped: expected 3; found 3",
    f"depth of {ORDERS} with inventory started again: expected 0; found 0",
    "stock: expected pizza 50 → 47; found pizza 50 → 47",
    "notification: expected 3 times InventoryReserved; found 3 times InventoryReserved",
    "stock after the first copy: expected soda 150 → 149; found soda 150 → 149",
    "stock after the second copy: expected soda 150 → 149; found soda 150 → 149",
    f"depth of {DEAD}: expected 1; found 1",
    "stock: expected salad 75 → 74; found salad 75 → 74",
    "notification: expected InventoryFailed; found InventoryFailed",
    "stock: expected no change; found no change",
    "All 5 steps came out as expected.",
]


@contextlib.contextmanager
def playing(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start `up`, with native brokers unless other words are given, and a pipe to type into."""
    (folder / "tmp").mkdir()
    process = subprocess.Popen(
        [*PROGRAM, "up", *(words or ("--provider", "native"))],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def typed(process: subprocess.Popen[str], line: str, answer: str) -> str:
    """Type a line, and return what is printed up to the line with the answer."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return "".join(read_until(process, answer))


def shown(printed: str, what: str) -> str:
    """Return the command for curl that was printed for something."""
    (line,) = {line for line in printed.splitlines() if "curl" in line and what in line}
    return line[line.index("curl") :]


def copied(command: str) -> str:
    """Carry a printed command out as a shell would, and return what it prints."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.strip()


def deep(queue: str, messages: int) -> str:
    """Return the line of `depth` for a queue."""
    return depths([(queue, messages)])


def desk(said: list[str]) -> Desk:
    """Give a desk where nothing runs."""
    services: Any = SimpleNamespace(names=("order", "inventory"))
    nothing: Any = None
    return Desk(services, nothing, nothing, said.append)


@pytest.mark.usefixtures("rabbitmq")  # skips, or fails under CI, where there is no broker of this provider
def test_the_walk_gives_the_outcomes_of_the_original(tmp_path, atleastonce_provider):
    """Every step shows what was expected and found, in this order, and the exit code is 0."""
    done = called("up", "--walk", "--provider", atleastonce_provider, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = iter(line.removeprefix("   ✓ ") for line in done.stdout.splitlines())
    assert [line for line in CAME_OUT if line not in found] == []


def test_a_walk_that_is_not_as_expected_ends_there(rabbitmq, atleastonce_lifetime, monkeypatch):
    """It says what was expected and what was found, and tries nothing that builds on it."""
    monkeypatch.setenv("OPENING_STOCK", "burger=0,fries=9")
    management, host = Management(rabbitmq.management_url), "a-walk"
    management.create_vhost(host, "guest")
    url, printed, chain = f"{rabbitmq.url}/{host}", io.StringIO(), contract()
    values = {"amqp_url": url, "queue_type": chain.broker.queue_type}
    with Services(chain.all_services, values, atleastonce_lifetime) as services:
        services.start(*services.names)
        assert not Walk(services, Queues(url), Console(file=printed, width=120), within=1).carry_out()
    management.delete_vhost(host)
    assert "✗ stock: expected burger 0 → -1, fries 9 → 7; found no change" in printed.getvalue()
    assert "Not as expected in step 1 of 5" in printed.getvalue()


def test_playing_by_hand(tmp_path):
    """What is printed can be copied, what is typed is done, and no mistake ends anything."""
    with playing(tmp_path) as process:
        printed = "".join(read_until(process, "Ctrl-C ends"))
        order = shown(printed, "Idempotency-Key")
        answer = copied(order)
        assert answer.endswith(" 200")
        typed(process, "stop order", "order is stopped")
        assert "000" in copied(order)
        typed(process, "start order", "order is ready")
        assert copied(order) == answer  # the address and the data are those from before
        typed(process, "strat inventory", "did you mean")
        typed(process, "stop inventory", "inventory is stopped")
        typed(process, "stop inventory", "it does not run")
        assert copied(shown(printed, "done").removesuffix("; done")).endswith(" 200")
        assert deep(ORDERS, 1) in typed(process, "depth", "notification_dlq")
        typed(process, "start inventory", "inventory is ready")
        typed(process, "duplicate", "both with message_id")
        helped = typed(process, "help", "asks the queue itself")
        assert copied(shown(helped, "invalid")) == '{"routed":true}'
        typed(process, "poison", "shows where it went")
        deadline = time.monotonic() + 30
        while deep(DEAD, 2) not in typed(process, "depth", "notification_dlq"):
            assert time.monotonic() < deadline
        typed(process, "quit", "ending everything")
        assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_nothing_is_left(tmp_path, number):
    """Services, broker and files are gone within ten seconds, whatever ended it."""
    with playing(tmp_path) as process:
        read_until(process, "Ctrl-C ends")
        (folder,) = (tmp_path / "tmp").glob("atleastonce-*")
        token = folder.name.removeprefix("atleastonce-")
        assert len(left_of(token, folder)) > 3
        process.send_signal(number)
        assert "Traceback" not in process.communicate(timeout=20)[0]
        assert process.returncode == (-number if number == signal.SIGKILL else 0)
        await_nothing_left(token, folder)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("frobnicate", "there is no command 'frobnicate'; there are stop, start, depth"),
        ("duplicat", "there is no command 'duplicat'; did you mean \"duplicate\"?"),
        ("stop", "'stop' is written: stop SERVICE; services: order, inventory"),
        ("depth of", "'depth' is written: depth; services: order, inventory"),
    ],
)
def test_a_mistake_is_one_sentence(line, sentence):
    """And everything goes on."""
    said: list[str] = []
    one = desk(said)
    one.obey(line)
    assert len(said) == 1
    assert said[0].startswith(sentence)
    assert one.open


def test_an_empty_line_is_nothing():
    """Enter is no mistake."""
    said: list[str] = []
    desk(said).obey("  ")
    assert said == []


def test_ctrl_d_ends_the_lines_of_a_terminal(monkeypatch):
    """Unlike the end of a pipe."""
    ours, theirs = pty.openpty()
    os.write(ours, b"depth\nstop inventory\n\x04")
    with os.fdopen(theirs) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        assert [line for line in lines(threading.Event()) if line] == ["depth", "stop inventory"]
    os.close(ours)


def test_the_end_of_a_pipe_ends_nothing(monkeypatch):
    """A last line without an end is one, too; after it, only `stop` ends the lines."""
    reads, writes = os.pipe()
    os.write(writes, b"poison\ndepth")
    os.close(writes)
    stop = threading.Event()
    with os.fdopen(reads) as pipe:
        monkeypatch.setattr("sys.stdin", pipe)
        coming = lines(stop)
        assert [next(coming), next(coming), next(coming)] == ["poison", "depth", None]
        stop.set()
        assert list(coming) == []
