"""Random schedules: copies, poison, outages, crash and write points mixed as nobody would write them down."""

import random
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TypeVar, get_args

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import passed, trap_at
from atleastonce.exploration.crowd import CROWD, crowd
from atleastonce.exploration.outages import expiries, published_to
from atleastonce.exploration.poison import poison_messages
from atleastonce.history import History
from atleastonce.schedule import HANDED_OVER, Action, Schedule, Trap, When, publish

T = TypeVar("T")

_COPIES = (0, 0, 1, 2)
"""How many more copies there are, one as likely as the other: a copy makes up for one that is lost."""
_POISONS = (0, 0, 1, 2)
_OUTAGES = (0, 1, 1, 2)
_TRAPS = (0, 0, 1, 2)
_CROWDS = (0, 0, 0, 0, 12, CROWD)
"""How many messages there are, at the least those of the calm run: some faults show in a crowd alone."""
_ORDERS = 2**32
_ABORTED = (0, 0, 0, 1)
_ONCE = (0, 1)
_WRITES = (False, False, False, True)
"""Whether the service is struck at a write point, and nowhere else."""
_FARTHEST = 32
"""Up to which system call: most services take fewer for a message, and a point that is not hit costs a case."""
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
    recovers, queues only where it says that it accepts honestly. The rule that allows a fault stands with the fault
    (`faults.RULES`).
    """
    calmly = calm.header.schedule
    bad = poison_messages(contract)
    deadly = "recovers" in contract.promised
    log = bool(contract.input.topic)
    struck = _traps(calm, contract, deadly=deadly)
    points = _write_points(calm, contract)
    unroutable = _unroutable(calm, contract)

    @st.composite
    def mixed(draw: st.DrawFn) -> Schedule:
        messages = {**crowd(calmly, draw(st.sampled_from(_CROWDS))), **calmly.messages}
        more = draw(_some(st.sampled_from([*calmly.messages]), _COPIES))
        written = draw(st.sampled_from(_WRITES))
        # What a poison ends by itself cannot be traced at a write point.
        poison = draw(_different([] if written else [*bad], _POISONS))
        names = [*messages, *more, *poison]
        # By one number: to draw every place of a crowd takes Hypothesis a hundred times as long.
        random.Random(draw(st.integers(0, _ORDERS))).shuffle(names)  # noqa: S311 - for variety, not for secrecy
        actions = [*publish(*names)]
        traps = draw(points if written else struck)
        busy = {trap.service for trap in traps if trap.do != "cut"}
        free = [service for service in contract.all_services if service not in busy]
        down = draw(_different(free, _OUTAGES))
        for service in down:
            draw(_scattered(actions, draw(st.sampled_from(_outages(calm, service, deadly=deadly, log=log)))))
        # Without its queue a service is not well: beside an outage, it would not be healthy again behind that.
        for outage in draw(_different([] if down else unroutable, _ONCE)):
            draw(_scattered(actions, outage))
        for name in draw(_different([*calmly.messages], _ABORTED if log else (0,))):
            draw(_scattered(actions, (Action(abort=name),)))
        ended = {trap.service for trap in traps if trap.do in ("kill", "stop")}
        return msgspec.structs.replace(
            calmly,
            messages={**messages, **{name: bad[name] for name in poison}},
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
    drawn = [*found.values()]
    # Hypothesis likes to vary what it has just drawn: a short budget would see much of the same.
    random.Random(number).shuffle(drawn)  # noqa: S311 - for variety, not for secrecy
    return drawn


def _some(items: st.SearchStrategy[T], counts: Sequence[int]) -> st.SearchStrategy[list[T]]:
    return st.sampled_from(counts).flatmap(lambda size: st.lists(items, min_size=size, max_size=size))


def _different(items: list[T], counts: Sequence[int]) -> st.SearchStrategy[list[T]]:
    """Draw so many of them, or all where there are fewer."""
    return st.tuples(st.permutations(items), st.sampled_from(counts)).map(lambda drawn: drawn[0][: drawn[1]])


@st.composite
def _scattered(draw: st.DrawFn, actions: list[Action], more: Sequence[Action]) -> None:
    """Put more actions between those that there are: anywhere, and in their order."""
    places = sorted(draw(st.integers(0, len(actions))) for _ in more)
    for place, action in reversed([*zip(places, more, strict=True)]):
        actions.insert(place, action)


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


def _write_points(calm: History, contract: Contract) -> st.SearchStrategy[list[Trap]]:
    """Draw a system call of a service at which it dies, or one of several instances stands still for a while."""
    taken = [(at[0], at[2]) for at in passed(calm, contract) if at[1] in HANDED_OVER and at[3] == 1]
    if not taken:
        return st.just([])

    @st.composite
    def drawn(draw: st.DrawFn) -> list[Trap]:
        service, message = draw(st.sampled_from(taken))
        dos = ("kill", "pause") if contract.all_services[service].instances > 1 else ("kill",)
        nth, do = draw(st.integers(1, _FARTHEST)), draw(st.sampled_from(dos))
        return [Trap(event="write", nth=nth, during=message, service=service, do=do)]

    return drawn()


def _unroutable(calm: History, contract: Contract) -> list[tuple[Action, ...]]:
    if not contract.input.http or "accepts-honestly" not in contract.promised:
        return []
    entry = next(iter(contract.all_services))
    return [(Action(unroute=queue), Action(reroute=queue)) for queue in published_to(calm, entry)]


def _outages(calm: History, service: str, *, deadly: bool, log: bool) -> list[tuple[Action, ...]]:
    """Return what may become of a service that is not at work on anything that a trap is about."""
    stop, start = Action(stop=service), Action(start=service)
    found: list[tuple[Action, ...]] = [(stop, start)]
    found += ((stop, Action(wait=f"{seconds:.3f}s"), start) for seconds in expiries(calm))
    if log:
        found += [
            (Action(rewind=service), start),
            (stop, Action(forget=service), start),
            (Action(rebalance=service),),
        ]
    if deadly:
        found += [(Action(cut=service),), (Action(isolate=service), Action(mend=service))]
    return found
