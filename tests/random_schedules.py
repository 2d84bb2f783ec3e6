"""Draws random schedules for the reference inventory: orders, copies of them, and poison between, in any order."""

from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from atleastonce.contract_file import load
from atleastonce.findings import Judged
from atleastonce.schedule import Message, Schedule, publish

CONTRACT = Path(__file__).parents[1] / "src" / "campus_food" / "contracts" / "rabbitmq.toml"
ORDERS = ("m1", "m2")
QUICK = ("not-json", "wrong-schema", "wrong-type", "too-large")
"""The kinds of poison that are set aside at once. The others take the service a second each, or its life."""


def schedules() -> st.SearchStrategy[Schedule]:
    """Draw every order at least once, copies of them, and poison between."""
    contract = load(CONTRACT).contract
    kinds = {kind.name: number for number, kind in enumerate(contract.poison) if kind.name in QUICK}
    orders = {name: Message(id=name, body=contract.input.message) for name in ORDERS}
    poison = {f"p{n}": Message(id=name, poison=n) for name, n in kinds.items()}

    def made(order: list[str]) -> Schedule:
        named = {name: message for name, message in {**orders, **poison}.items() if name in order}
        return Schedule(messages=named, actions=publish(*order))

    copies = st.lists(st.sampled_from(ORDERS), max_size=3)
    bad = st.lists(st.sampled_from(sorted(poison)), max_size=2, unique=True)
    return (
        st.tuples(copies, bad).flatmap(lambda more: st.permutations([*ORDERS, *more[0], *more[1]])).map(made)
    )


def drawn(count: int, number: int) -> list[Schedule]:
    """Return so many schedules, none twice, the same for the same number."""
    found: dict[str, Schedule] = {}

    @seed(number)
    @settings(
        max_examples=2 * count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules())
    def collect(schedule: Schedule) -> None:
        found[schedule.describe()] = schedule

    collect()
    assert len(found) >= count, f"only {len(found)} different schedules were drawn"
    return list(found.values())[:count]


def bad(judged: Judged) -> list[str]:
    """Return the verdicts with an occasion that are not kept, in words."""
    return [
        f"{name} {verdict.outcome}: {verdict.reason} ({judged.history.header.schedule.describe()})"
        for name, verdict in judged.verdicts.items()
        if verdict.occasion and verdict.outcome != "kept"
    ]
