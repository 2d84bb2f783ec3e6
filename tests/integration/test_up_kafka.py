"""`atleastonce up --kafka`: the streaming services to play with, and the walk-through of the original."""

import pytest
from running import called, read_until
from slices import thoroughly
from test_up import copied, playing, typed

from atleastonce.commands.up_kafka_walk import thinned

CAME_OUT = [
    "the producer's last words: expected Finished producing 10000 events; found Finished producing 10000 events",
    "lag of inventory: expected 0; found 0",
    'log of inventory: "Received order event: order_009999": expected written; found written',
    'log of inventory: "Inventory event emitted: reserve 2 of item_0": expected written; found written',
    "lag of analytics: expected 0; found 0",
    "report of analytics: expected 10000 orders, 490 failed; found 10000 orders, 490 failed",
    "metrics printed every 1000 orders: expected 10 times; found 10 times",
    "stock: expected no change; found no change",
    "report of analytics: expected 10000 orders, 490 failed; found 10000 orders, 490 failed",
    'log of analytics: "Poison at orders/": expected written; found written',
    "lag of slow: expected grown; found grown",
    "lag of slow in the end: expected 0; found 0",
    "report of slow: expected 10000 orders, 490 failed; found 10000 orders, 490 failed",
    "lag of inventory with inventory started again: expected 0; found 0",
    "report and replay: expected equal digests; found equal digests",
    "All 6 steps came out as expected.",
]


@pytest.mark.provider("docker", thoroughly("native"))
@pytest.mark.usefixtures("kafka")  # skips, or fails under CI, where there is no broker of this provider
def test_the_walk_gives_the_outcomes_of_the_original(tmp_path, atleastonce_provider):
    """Every step shows what was expected and found, in this order, and the exit code is 0."""
    done = called("up", "--kafka", "--walk", "--provider", atleastonce_provider, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = iter(line.removeprefix("   ✓ ") for line in done.stdout.splitlines())
    assert [line for line in CAME_OUT if line not in found] == []


def test_playing_by_hand(tmp_path):
    """What is printed can be copied, what is typed is done."""
    with playing(tmp_path, "--kafka", "--provider", "native") as process:
        printed = "".join(read_until(process, "Ctrl-C ends"))
        (report,) = {line.strip()[2:] for line in printed.splitlines() if line.endswith("/report.txt")}
        assert "Total Orders: 0" in copied(report)
        typed(process, "produce", "Finished producing 10000 events")
        typed(process, "poison", "copies go to")
        assert "does not answer" in typed(process, "lag", "slow")
        typed(process, "stop analytics", "analytics is stopped")
        typed(process, "start analytics", "analytics is ready")
        assert "produce" in typed(process, "help", "like Ctrl-C")
        typed(process, "quit", "ending everything")
        assert process.wait(20) == 0


def test_rest_and_kafka_are_two_things(tmp_path):
    """The sentence says so, with exit code 2."""
    done = called("up", "--rest", "--kafka", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "atleastonce: found --rest and --kafka, expected one of the two\n",
    )


def test_some_of_many_numbers_are_shown():
    """The last one always."""
    assert list(thinned([5])) == [5]
    assert list(thinned(list(range(100, -1, -1))))[-1] == 0
    assert len(thinned(list(range(1000)))) == 8
