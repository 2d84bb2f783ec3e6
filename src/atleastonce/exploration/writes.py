"""Write points: the service killed, or paused, at every system call by which the handling of a message leaves it."""

from collections.abc import Iterable, Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import passed
from atleastonce.exploration.http import asked_first
from atleastonce.history import History
from atleastonce.schedule import BROKER, HANDED_OVER, Action, Schedule, Trap, publish

_NEVER = 1_000_000
"""A number of calls that no message takes: the trap never springs, and the history lists what was called."""


def traces(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield for every message, and service that takes it, a schedule in which nothing happens but that it is traced.

    Each message is alone in its schedules: what a service calls is then done for that one. Where there are several
    instances, the others are kept for what comes while one of these stands still.
    """
    given = calm.header.schedule
    several = {name for name, each in contract.all_services.items() if each.instances > 1}
    handed = ((at[0], BROKER, at[2]) for at in passed(calm, contract) if at[1] in HANDED_OVER and at[3] == 1)
    for service, link, message in (*handed, *asked_first(calm, contract)):
        trap = Trap(event="write", nth=_NEVER, during=message, service=service, link=link, do="noop")
        kept = given.messages if service in several else {message: given.messages[message]}
        yield msgspec.structs.replace(given, messages=kept, actions=publish(message), traps=(trap,))


def onward(walked: Iterable[History]) -> list[Schedule]:
    """Return the write points to try next, of every message that was traced; none where all walks have ended.

    First as many as the trace has seen; then one more at a time, until one no longer hits.
    """
    calm: dict[Trap, History] = {}
    last: dict[Trap, tuple[int, bool]] = {}
    for history in walked:
        for trap in (each for each in history.header.schedule.traps if each.is_write):
            walk = _at(trap, 1)
            if trap.nth == _NEVER:
                calm[walk] = history
            else:
                hit = any(e.event == "sprung" and e.note == trap.describe() for e in history.events)
                last[walk] = max(last.get(walk, (0, False)), (trap.nth, hit))
    found: list[Schedule] = []
    for walk, history in calm.items():
        tried, hit = last.get(walk, (0, False))
        upto = tried + 1 if hit else 0 if tried else sum(event.event == "write" for event in history.events)
        traced = history.header.schedule
        for nth in range(tried + 1, upto + 1):
            found.append(_point(traced, _at(walk, nth)))
            if len(traced.messages) > 1:
                found.append(_pause(traced, _at(walk, nth)))
    return found


def _at(walk: Trap, nth: int) -> Trap:
    """Return the trap that kills at the n-th call of a walk, which the first one stands for."""
    return msgspec.structs.replace(walk, nth=nth, do="kill")


def _point(traced: Schedule, trap: Trap) -> Schedule:
    """Return the schedule in which the service dies at its n-th call, and is started again."""
    message = trap.during
    return msgspec.structs.replace(
        traced,
        messages={message: traced.messages[message]},
        actions=(*publish(message), Action(start=trap.service)),
        traps=(trap,),
    )


def _pause(traced: Schedule, trap: Trap) -> Schedule:
    """Return the schedule in which one instance stands still at its n-th call, while others take what comes then.

    That is the other messages, and then a second copy of the one that it holds.
    """
    others = (each for each in traced.messages if each != trap.during)
    return msgspec.structs.replace(
        traced,
        actions=publish(trap.during, *others, trap.during),
        traps=(msgspec.structs.replace(trap, do="pause"),),
    )
