"""Poison: each kind between innocent messages, alone and with crashes while it is handled; then all of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

import msgspec

from atleastonce import poisons
from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import Point, passed, trap_at
from atleastonce.history import History
from atleastonce.schedule import HANDED_OVER, Action, Message, Schedule, Trap, When, publish


def poison(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield the schedules, where the contract promises that poison is set aside and messages come by a queue."""
    kinds = poison_messages(contract)
    if not kinds:
        return
    given = calm.header.schedule
    first, *others = given.messages
    service = next(iter(contract.all_services))
    handed_over = "fetch" if contract.broker.kind == "kafka" else "deliver"

    def schedule(*names: str) -> Schedule:
        return msgspec.structs.replace(
            given,
            messages={**given.messages, **{name: kinds[name] for name in names}},
            actions=publish(first, *names, *others),
        )

    for name in kinds:
        yield schedule(name)
    for name in kinds:
        yield _struck(schedule(name), trap_at((service, handed_over, name, 1), "after", "kill"))
    if len(kinds) > 1:
        yield schedule(*kinds)


def set_aside(tried: Iterable[History], contract: Contract) -> Iterator[Schedule]:
    """Yield the crash points at which a service sets a poison aside, as schedules of `poison` have shown them.

    Whoever settles a message first, and then publishes its letter, loses it between the two. Kinds that take the same
    steps take turns no more than once. How often one is tried may differ from run to run: only the first time counts.
    """
    walked: set[tuple[tuple[str, str], ...]] = set()
    for history in tried:
        given = history.header.schedule
        if history.stuck or not is_alone(given):
            continue
        points = _points_of(next(iter(given.poisons)), history, contract)
        steps = tuple(point[:2] for point in points)
        if steps not in walked:
            walked.add(steps)
            for point in points:
                for when in get_args(When):
                    yield _struck(given, trap_at(point, when, "kill"))


def is_alone(schedule: Schedule) -> bool:
    """Tell whether one poison is all that disturbs the service, so that it shows how that is set aside."""
    return schedule.only_publishes and len(schedule.poisons) == 1


def _points_of(name: str, history: History, contract: Contract) -> Sequence[Point]:
    """Return what passes of a message for the first time, behind its delivery: a crash there is tried anyway."""
    points = (point for point in passed(history, contract) if point[2:] == (name, 1))
    return [point for point in points if point[1] not in HANDED_OVER]


def _struck(given: Schedule, trap: Trap) -> Schedule:
    """Return a schedule in which a trap ends a service, which is started again."""
    return msgspec.structs.replace(given, actions=(*given.actions, Action(start=trap.service)), traps=(trap,))


def poison_messages(contract: Contract) -> dict[str, Message]:
    """Return a message of each kind of poison, by name; none where nothing is promised of it, or all comes by HTTP."""
    if contract.input.http or not {"poison-set-aside", "backs-off"} & {*contract.promised}:
        return {}
    kinds = enumerate(poisons.kinds(contract))
    return {f"p{number + 1}": Message(id=kind.name, poison=number) for number, kind in kinds}
