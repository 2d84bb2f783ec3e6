"""Random schedules: copies, poison, outages and crash points mixed as nobody would write them down."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TypeVar, get_args

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import passed, trap_at
from atleastonce.exploration.poison import poison_messages
from atleastonce.history import History
from atleastonce.schedule import Action, Schedule, Trap, When, publish

T = TypeVar("T")

_COPIES = (0, 0, 1, 2)
"""How many more copies there are, one as likely as the other: a copy makes up for one that is lost."""
_POISONS = (0, 0, 1, 2)
_OUTAGES = (0, 0, 1, 2)
_TRAPS = (0, 1, 1, 2)
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
    bad = poison_messages(contract)
    deadly = "recovers" in contract.promised

    @st.composite
    def mixed(draw: st.DrawFn) -> Schedule:
        more = draw(_some(st.sampled_from([*calmly.messages]), _COPIES))
        poison = draw(_different([*bad], _POISONS))
        actions = [*publish(*draw(st.permutations([*calmly.messages, *more, *poison])))]
        traps = draw(_traps(calm, contract, deadly=deadly))
        ended = {trap.service for trap in traps if trap.do != "cut"}
        free = [service for service in contract.all_services if service not in ended]
        for service in draw(_different(free, _OUTAGES)):
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


def _some(items: st.SearchStrategy[T], counts: Sequence[int]) -> st.SearchStrategy[list[T]]:
    return st.sampled_from(counts).flatmap(lambda size: st.lists(items, min_size=size, max_size=size))


def _different(items: list[T], counts: Sequence[int]) -> st.SearchStrategy[list[T]]:
    """Draw so many of them, or all where there are fewer."""
    return st.tuples(st.permutations(items), st.sampled_from(counts)).map(lambda drawn: drawn[0][: drawn[1]])


def _traps(calm: History, contract: Contract, *, deadly: bool) -> st.SearchStrategy[list[Trap]]:
    """Draw crash points of different services, or of one whose link is cut as well.

    Each is about a message of its own: what the first does to a message may keep the second from it.
    """
    dos = ("kill", "stop", "cut") if deadly else ("kill", "stop")

    points = [*passed(calm, contract)]
    if not points:
        return st.just([])
    drawn = st.builds(trap_at, st.sampled_from(points), st.sampled_from(get_args(When)), st.sampled_from(dos))
    return _some(drawn, _TRAPS).map(_that_get_along)


def _that_get_along(traps: list[Trap]) -> list[Trap]:
    return [trap for number, trap in enumerate(traps) if all(_apart(trap, each) for each in traps[:number])]


def _apart(trap: Trap, other: Trap) -> bool:
    one_is_cut = "cut" in (trap.do, other.do)
    return trap.message != other.message and (trap.service != other.service or one_is_cut)


def _outages(service: str, *, deadly: bool) -> list[tuple[Action, ...]]:
    down = (Action(stop=service), Action(start=service))
    if not deadly:
        return [down]
    return [down, (Action(cut=service),), (Action(isolate=service), Action(mend=service))]
