"""Random schedules: copies, poison, outages and crash points mixed as nobody would write them down."""

from collections.abc import Iterator
from itertools import count
from typing import get_args

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from atleastonce import poisons
from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import passed
from atleastonce.history import History
from atleastonce.schedule import Action, Message, Schedule, Trap, When, publish

_COPIES = 3
"""How many copies there are at the most, beside the first of each message."""
_POISONS = 2
_OUTAGES = 2
_TRAPS = 2
_CHUNK = 100
"""How many schedules are drawn at a time, which takes some tenths of a second."""


def mixtures(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield random schedules without end, the same for the seed of the calm run; HTTP chains have none."""
    if contract.broker.kind == "http":
        return
    strategy = schedules(calm, contract)
    for number in count():
        yield from _drawn(strategy, f"{calm.header.schedule.seed}/{number}")


def schedules(calm: History, contract: Contract) -> st.SearchStrategy[Schedule]:
    """Return the strategy for schedules that a broker may bring about, legal by construction.

    Every message of the calm run is published, in any order. A service that a trap ends is started again behind
    everything else, and no outage stops it besides; links die only where the contract says that the service
    recovers. The rule that allows a fault stands with the fault (`faults.RULES`).
    """
    calmly = calm.header.schedule
    bad = _poison(contract)
    deadly = "recovers" in contract.promised

    @st.composite
    def mixed(draw: st.DrawFn) -> Schedule:
        more = draw(st.lists(st.sampled_from([*calmly.messages]), max_size=_COPIES))
        poison = draw(_several([*bad], _POISONS))
        actions = [*publish(*draw(st.permutations([*calmly.messages, *more, *poison])))]
        traps = draw(_traps(calm, contract, deadly=deadly))
        ended = {trap.service for trap in traps if trap.do != "cut"}
        for service in draw(
            _several([name for name in contract.all_services if name not in ended], _OUTAGES)
        ):
            outage = draw(st.sampled_from(_outages(service, deadly=deadly)))
            places = [draw(st.integers(0, len(actions))) for _ in outage]
            for place, action in reversed([*zip(sorted(places), outage, strict=True)]):
                actions.insert(place, action)
        return msgspec.structs.replace(
            calmly,
            messages={**calmly.messages, **{name: bad[name] for name in poison}},
            actions=(*actions, *(Action(start=service) for service in sorted(ended))),
            traps=tuple(traps),
        )

    return mixed()


def _drawn(strategy: st.SearchStrategy[Schedule], number: str) -> list[Schedule]:
    found: dict[str, Schedule] = {}

    @seed(number)
    @settings(
        max_examples=_CHUNK,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(schedule: Schedule) -> None:
        found[schedule.describe()] = schedule

    collect()
    return [*found.values()]


def _poison(contract: Contract) -> dict[str, Message]:
    """Return a message of each kind of poison, where the contract promises something about it."""
    if contract.input.http or not {"poison-set-aside", "backs-off"} & {*contract.promised}:
        return {}
    kinds = enumerate(poisons.kinds(contract))
    return {f"p{number + 1}": Message(id=kind.name, poison=number) for number, kind in kinds}


def _several(items: list[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(items), max_size=most, unique=True) if items else st.just([])


def _traps(calm: History, contract: Contract, *, deadly: bool) -> st.SearchStrategy[list[Trap]]:
    """Draw crash points of different services, or of one whose link is cut as well."""
    dos = ("kill", "stop", "cut") if deadly else ("kill", "stop")

    def trap(point: tuple[str, str, str, int], when: When, do: str) -> Trap:
        service, event, message, nth = point
        return Trap(when=when, event=event, message=message, nth=nth, service=service, do=do)

    points = [*passed(calm, contract)]
    if not points:
        return st.just([])
    drawn = st.builds(trap, st.sampled_from(points), st.sampled_from(get_args(When)), st.sampled_from(dos))
    return st.lists(drawn, max_size=_TRAPS, unique_by=_ends)


def _ends(trap: Trap) -> tuple[str, bool]:
    return trap.service, trap.do != "cut"


def _outages(service: str, *, deadly: bool) -> list[tuple[Action, ...]]:
    down = (Action(stop=service), Action(start=service))
    if not deadly:
        return [down]
    return [down, (Action(cut=service),), (Action(isolate=service), Action(mend=service))]
