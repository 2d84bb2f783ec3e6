"""`atleastonce up --rest`: the synchronous chain to play with, without a broker, and its walk-through."""

import io
import signal

from rich.console import Console
from running import GONE_WITHIN, called, read_until
from test_up import copied, playing, typed

from atleastonce.commands.up_rest import SERVICES
from atleastonce.commands.up_rest_walk import RestWalk
from atleastonce.commands.up_services import Services

CAME_OUT = [
    "answer to POST /order: expected 200 success; found 200 success",
    "stock: expected burger 100 → 99, fries 200 → 198; found burger 100 → 99, fries 200 → 198",
    "notifications in all: expected 1; found 1",
    "answer to POST /order?delay=2: expected 200 success; found 200 success",
    "answer to POST /order?fail=500: expected 502 reserve-failed, attempts 3; found 502 reserve-failed, attempts 3",
    "attempts that inventory saw: expected 3; found 3",
    "latest reservation: expected released; found released",
    "answer to POST /order?fail=500&fail_times=2: expected 200 success; found 200 success",
    "stock: expected pizza 50 → 49; found pizza 50 → 49",
    "latest reservation: expected released; found released",
    "stock with inventory started again: expected no change; found no change",
    "answer to POST /order: expected 409 unknown item: sushi; found 409 unknown item: sushi",
    "answer to POST /order: expected 400 items.burger; found 400 items.burger",
    "All 7 steps came out as expected.",
]


def commands(printed: str) -> list[str]:
    """Return the printed commands, in their order."""
    return [line.strip()[2:] for line in printed.splitlines() if line.strip().startswith("$ ")]


def test_the_walk_comes_out_as_expected(tmp_path):
    """Every step shows what was expected and found, in this order, and the exit code is 0."""
    done = called("up", "--rest", "--walk", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = iter(line.removeprefix("   ✓ ") for line in done.stdout.splitlines())
    assert [line for line in CAME_OUT if line not in found] == []


def test_a_walk_that_is_not_as_expected_ends_there(atleastonce_lifetime, monkeypatch):
    """It says what was expected and what was found."""
    monkeypatch.setenv("OPENING_STOCK", "burger=0,fries=9")
    printed = io.StringIO()
    with Services(SERVICES, {}, atleastonce_lifetime) as services:
        services.start(*services.names)
        assert not RestWalk(services, Console(file=printed, width=120), within=1).carry_out()
    assert "expected 200 success; found 409 too little stock: burger" in printed.getvalue()
    assert "Not as expected in step 1 of 7" in printed.getvalue()


def test_playing_by_hand(tmp_path):
    """What is printed can be copied, what is typed is done, and the end leaves nothing."""
    with playing(tmp_path, "--rest") as process:
        printed = commands("".join(read_until(process, "Ctrl-C ends")))
        answer, _, seconds = copied(printed[0]).partition(" 200 after ")
        assert float(seconds.removesuffix(" s")) < 10
        assert copied(printed[0]).partition(" 200 after ")[0] == answer
        assert '"burger":99' in copied(printed[1])
        typed(process, "stop inventory", "inventory is stopped")
        typed(process, "stop order", "order is stopped")
        typed(process, "start order", "order is ready")
        assert '"inventory_status":null,"attempts":3' in copied(printed[0].replace("first", "second"))
        typed(process, "start inventory", "inventory is ready")
        assert "depth" not in typed(process, "help", "like Ctrl-C")
        process.send_signal(signal.SIGTERM)
        process.wait(GONE_WITHIN)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert "000" in copied(printed[0])
