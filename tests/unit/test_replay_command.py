"""What `atleastonce replay` refuses before it starts anything."""

from pathlib import Path
from typing import Any

import pytest

from atleastonce.commands.replay import check_planned, sure_after
from atleastonce.contract import ContractFile
from atleastonce.contract_file import parse
from atleastonce.errors import UsageError
from atleastonce.schedule import Action, Message, Schedule, Trap, publish

TEXT = """
[services.shop]
command = "run"
[broker]
kind = "rabbitmq"
[input]
INPUT
message = "x"
[promises]
effects-once = true
"""


def checked(*actions: Action, given: str = 'queue = "in"', traps: tuple[Trap, ...] = ()) -> None:
    """Check a schedule that publishes a message and does more, on a contract with one service."""
    text = TEXT.replace("INPUT", given)
    schedule = Schedule(messages={"m1": Message()}, actions=(*publish("m1"), *actions), traps=traps)
    check_planned(schedule, ContractFile(path=Path("c"), text=text, contract=parse(text)))


@pytest.mark.parametrize(
    "action",
    [
        Action(restart="broker"),
        Action(wait="5s"),
        Action(unroute="in"),
        Action(reroute="in"),
        Action(abort="m1"),
        Action(cut="shop"),
    ],
)
def test_what_is_about_no_service_need_not_name_one(action):
    """Found by reading: a broker restart, a queue that was gone and a message that expired could not be replayed."""
    checked(action)


def test_what_comes_at_the_same_time_needs_a_way_in_over_http():
    """Over a broker nobody sends so."""
    checked(Action(burst="m1"), given='http = "POST http://127.0.0.1:{port}/"')
    with pytest.raises(UsageError, match="over HTTP"):
        checked(Action(burst="m1"))


@pytest.mark.parametrize("verb", ["start", "stop", "cut", "isolate", "mend", "rewind", "forget", "rebalance"])
def test_a_service_that_does_not_exist(verb):
    """It is said which there are."""
    wrong: dict[str, Any] = {verb: "shpo"}
    with pytest.raises(UsageError, match=r"no service 'shpo'.*shop"):
        checked(Action(**wrong))
    with pytest.raises(UsageError, match="no service 'shpo'"):
        checked(traps=(Trap(when="before", event="ack", message="m1", do="kill", service="shpo"),))


@pytest.mark.parametrize(
    ("seen", "tried", "times"), [(0, 0, 1), (3, 3, 1), (2, 3, 5), (1, 3, 12), (0, 3, 26), (1, 2, 7)]
)
def test_what_is_chance_is_tried_until_it_would_have_been_seen(seen: int, tried: int, times: int) -> None:
    """One kept run of a race says little: it counts as fixed once 99 of 100 such series would have shown it."""
    assert sure_after(seen, tried) == times
