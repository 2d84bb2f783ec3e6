"""Write points: the service killed at every system call by which the handling of a message leaves it."""

from collections.abc import Iterable, Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import passed
from atleastonce.history import History
from atleastonce.schedule import HANDED_OVER, Action, Schedule, Trap, publish

_NEVER = 1_000_000
"""A number of calls that no message takes: the trap never springs, and the history lists what was called."""


def traces(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield for every message, and service that takes it, a schedule in which nothing happens but that it is traced.

    Each message is alone in its schedules: what a service calls is then done for that one.
    """
    given = calm.header.schedule
    for service, event, message, nth in passed(calm, contract):
        if event in HANDED_OVER and nth == 1:
            trap = Trap(event="write", nth=_NEVER, during=message, service=service, do="noop")
            yield msgspec.structs.replace(
                given, messages={message: given.messages[message]}, actions=publish(message), traps=(trap,)
            )


def onward(walked: Iterable[History]) -> list[Schedule]:
    """Return the write points to try next, of every message that was traced; none where all walks have ended.

    First as many as the trace has seen; then one more at a time, until one no longer hits.
    """
    calm: dict[tuple[str, str], History] = {}
    last: dict[tuple[str, str], tuple[int, bool]] = {}
    for history in walked:
        for trap in (each for each in history.header.schedule.traps if each.is_write):
            walk = trap.service, trap.during
            if trap.nth == _NEVER:
                calm[walk] = history
            else:
                hit = any(e.event == "sprung" and e.note == trap.describe() for e in history.events)
                last[walk] = max(last.get(walk, (0, False)), (trap.nth, hit))
    found: list[Schedule] = []
    for walk, history in calm.items():
        tried, hit = last.get(walk, (0, False))
        upto = tried + 1 if hit else 0 if tried else sum(event.event == "write" for event in history.events)
        found += (_point(history.header.schedule, *walk, nth) for nth in range(tried + 1, upto + 1))
    return found


def _point(traced: Schedule, service: str, message: str, nth: int) -> Schedule:
    """Return the schedule in which the service dies at its n-th call, and is started again."""
    trap = Trap(event="write", nth=nth, during=message, service=service, do="kill")
    return msgspec.structs.replace(traced, actions=(*publish(message), Action(start=service)), traps=(trap,))
