"""In which order schedules are tried: a bit of each kind first, the quick kinds and the most telling points before."""

import random
from collections import defaultdict
from collections.abc import Iterable

from atleastonce.schedule import Schedule, Trap

_SLOW = frozenset({"stop", "isolate", "wait", "unroute", "restart", "rewind", "forget", "rebalance"})
"""Actions that make a service wait for something, or many messages wait for a service."""
_SETTLES = frozenset({"ack", "nack", "reject", "commit"})
"""The events by which a message is over for the broker: whoever errs in their order errs here."""


def in_turn(schedules: Iterable[Schedule], seed: int) -> list[Schedule]:
    """Return schedules in an order of which a budget that runs out has seen a bit of everything.

    Kinds take turns. Within a kind the order is random, by the seed, but for the points at which a message is
    settled, where most of what can go wrong shows: they come first.
    """
    shuffled = [*schedules]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - for variety, not for secrecy
    kinds: dict[str, list[Schedule]] = defaultdict(list)
    for schedule in sorted(shuffled, key=_far):
        kinds[family(schedule)].append(schedule)
    quick_first = sorted(kinds.values(), key=lambda kind: _slow(kind[0]))
    rounds = max(map(len, quick_first), default=0)
    return [kind[number] for number in range(rounds) for kind in quick_first if number < len(kind)]


def family(schedule: Schedule) -> str:
    """Return what kind of schedule it is: the faults in it."""
    faults = {trap.do for trap in schedule.traps} | {action.verb for action in schedule.actions}
    return " ".join(sorted((faults - {"publish"}) | ({"poison"} if schedule.poisons else set())))


def _slow(schedule: Schedule) -> tuple[bool, bool]:
    return any(action.verb in _SLOW for action in schedule.actions), bool(schedule.poisons)


def _far(schedule: Schedule) -> int:
    """Return how far the traps of a schedule are from a settlement; 0 at one, and where there are none."""
    return max(map(_distance, schedule.traps), default=0)


def _distance(trap: Trap) -> int:
    if trap.event not in _SETTLES:
        return 2
    return 0 if trap.when == "after" else 1
