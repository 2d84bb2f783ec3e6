"""Random multisets of orders, duplicates and poison, in any order, on a real broker: no promise breaks.

Hypothesis draws the schedules and nothing else. Each is carried out once, outside its engine, and its verdicts are
kept: what a real broker does is not repeated to the letter, and a test that is run again would look flaky.
"""

import os
import random
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from atleastonce.brokers import Broker
from atleastonce.contract_file import load
from atleastonce.findings import Judged
from atleastonce.lifetimes import Lifetime
from atleastonce.schedule import Message, Schedule, publish
from atleastonce.schedule import save as save_schedule
from atleastonce.site import laid_out
from atleastonce.workshop import Workshop

pytestmark = pytest.mark.timeout(300)

CONTRACT = Path(__file__).parents[2] / "src" / "campus_food" / "contracts" / "rabbitmq.toml"
ORDERS = ("m1", "m2", "m3")
QUICK = ("not-json", "wrong-schema", "wrong-type", "too-large", "handling-always-fails")
"""The kinds of poison whose handling ends no process."""


def schedules() -> st.SearchStrategy[Schedule]:
    """Draw every order at least once, copies of them, and poison between."""
    contract = load(CONTRACT).contract
    kinds = {kind.name: number for number, kind in enumerate(contract.poison) if kind.name in QUICK}
    orders = {name: Message(id=name, body=contract.input.message) for name in ORDERS}
    poison = {f"p{n}": Message(id=name, poison=n) for name, n in kinds.items()}

    def made(order: list[str]) -> Schedule:
        named = {name: message for name, message in {**orders, **poison}.items() if name in order}
        return Schedule(messages=named, actions=publish(*order))

    copies = st.lists(st.sampled_from(ORDERS), max_size=4)
    bad = st.lists(st.sampled_from(sorted(poison)), max_size=2, unique=True)
    return (
        st.tuples(copies, bad).flatmap(lambda more: st.permutations([*ORDERS, *more[0], *more[1]])).map(made)
    )


def drawn(count: int, number: int) -> list[Schedule]:
    """Return so many schedules, the same for the same number."""
    found: dict[str, Schedule] = {}

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules())
    def collect(schedule: Schedule) -> None:
        found[schedule.describe()] = schedule

    collect()
    return list(found.values())


def test_random_schedules_break_nothing(
    rabbitmq: Broker,
    atleastonce_lifetime: Lifetime,
    pytestconfig: pytest.Config,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is sent twice, late or poisoned: nothing is broken, nothing unknown; the seed is printed."""
    number = int(os.environ.get("SCHEDULES_SEED") or random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nSCHEDULES_SEED={number} draws the same again")  # noqa: T201 - to be found in the log
    todo = drawn(300 if pytestconfig.getoption("--thorough") else 25, number)
    stop = threading.Event()
    with laid_out(load(CONTRACT), rabbitmq, atleastonce_lifetime, stop) as site, Workshop(site) as workshop:
        judged = [workshop.carry_out(schedule) for schedule in todo]
    wrong = [each for each in judged if bad(each)]
    for index, each in enumerate(wrong):
        save_schedule(each.history.header.schedule, tmp_path / f"{index}.json")
    assert [bad(each) for each in wrong] == [], f"SCHEDULES_SEED={number}; the schedules lie in {tmp_path}"
    assert sum(each.verdicts["effects-once"].outcome == "kept" for each in judged) > 0
    assert sum(each.verdicts["poison-set-aside"].outcome == "kept" for each in judged) > 0


def bad(judged: Judged) -> list[str]:
    """Return the verdicts with an occasion that are not kept, in words."""
    return [
        f"{name} {verdict.outcome}: {verdict.reason} ({judged.history.header.schedule.describe()})"
        for name, verdict in judged.verdicts.items()
        if verdict.occasion and verdict.outcome != "kept"
    ]
