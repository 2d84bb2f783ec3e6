"""Random multisets of orders, duplicates and poison, in any order, on a real broker: no promise breaks.

Hypothesis draws the schedules and nothing else. Each is carried out once, outside its engine, and its verdicts are
kept: what a real broker does is not repeated to the letter, and a test that is run again would look flaky.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from threading import Event

import pytest

from atleastonce.brokers import Broker
from atleastonce.checks import judge as judge_again
from atleastonce.commands import reference
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load
from atleastonce.findings import Judged
from atleastonce.history_file import read
from atleastonce.lifetimes import Lifetime
from atleastonce.schedule import Schedule, save
from atleastonce.site import laid_out
from atleastonce.workshop import Workshop
from random_schedules import CONTRACT, bad, drawn

pytestmark = pytest.mark.timeout(600)

TOGETHER = 40
"""How many schedules share a lane: the wait for quiet and the snapshots are theirs together."""

Judge = Callable[[Sequence[Schedule]], list[Judged]]


@pytest.fixture
def judging(rabbitmq: Broker, atleastonce_lifetime: Lifetime, tmp_path: Path):
    """Give what opens a workshop for a contract, and judges schedules in it, many side by side."""

    @contextmanager
    def opened(contract: ContractFile) -> Iterator[Judge]:
        site = laid_out(contract, rabbitmq, atleastonce_lifetime, Event(), tmp_path / "histories")
        with site as laid, Workshop(laid) as workshop:
            yield lambda todo: [
                *chain(
                    *(
                        workshop.carry_out_together(todo[start : start + TOGETHER])
                        for start in range(0, len(todo), TOGETHER)
                    )
                )
            ]

    return opened


def test_random_schedules_break_nothing(
    judging, thorough: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is sent twice, late or poisoned: nothing is broken, nothing unknown; the seed is printed."""
    number = int(os.environ.get("SCHEDULES_SEED") or random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nSCHEDULES_SEED={number} draws the same again")  # noqa: T201 - to be found in the log
    todo = drawn(25 * TOGETHER if thorough else 5 * TOGETHER, number)
    with judging(load(CONTRACT)) as judge:
        judged = judge(todo)
    wrong = [each for each in judged if bad(each)]
    for index, each in enumerate(wrong):
        save(each.history.header.schedule, tmp_path / f"{index}.json")
    assert [bad(each) for each in wrong] == [], f"SCHEDULES_SEED={number}; the schedules lie in {tmp_path}"
    assert [each.history.header.schedule for each in judged] == todo
    for promise in ("nothing-lost", "effects-once", "poison-set-aside"):
        assert sum(each.verdicts[promise].outcome == "kept" for each in judged) > len(todo) / 2


def test_what_is_broken_among_many_is_found_and_told_apart(judging, tmp_path: Path) -> None:
    """A service that takes every copy for a new order breaks those schedules that hold one, and no other."""
    contract = reference.contract(tmp_path, "rabbitmq", "no-dedupe", "campus_food.mutants.no_dedupe")
    todo = drawn(8, 1)
    repeats = [
        len(each.innocents) < len([a for a in each.actions if a.target in each.innocents]) for each in todo
    ]
    with judging(contract) as judge:
        judged = judge(todo)
    assert [each.broke("effects-once") for each in judged] == repeats
    assert {True, False} == {*repeats}


def test_each_history_is_saved_whole(judging, tmp_path: Path) -> None:
    """It can be judged again, by itself, with nothing running."""
    todo = drawn(3, 2)
    with judging(load(CONTRACT)) as judge:
        judged = judge(todo)
    (file,) = (tmp_path / "histories").glob("*.jsonl")
    again = [
        {promise: judge_again(history, promise) for promise in judged[0].verdicts}
        for _, history in read(file)
    ]
    assert again == [each.verdicts for each in judged]
