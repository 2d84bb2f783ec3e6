"""Shrinks a schedule that breaks a promise to one from which no step can be left out."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from atleastonce.schedule import SENTINEL, Schedule, Verb

_RETURNS: dict[Verb, Verb] = {"mend": "isolate", "reroute": "unroute"}
"""The actions that give something back, and those that took it away."""


def shrink(schedule: Schedule, blamed: Iterable[str], breaks: Callable[[Schedule], bool]) -> Schedule:
    """Return the shortest schedule found that still breaks; `breaks` carries one out, and is asked rarely.

    First everything that has nothing to do with the blamed messages is left out at once, which is nearly
    always the answer; where none is blamed, all but one. Then every single step is tried, until none can go.
    """
    wanted = {*blamed, *schedule.trapped} or {*schedule.published[:1]}
    focused = _only(schedule, wanted)
    if focused.published and focused.steps < schedule.steps and breaks(focused):
        schedule = focused
    shorter: Schedule | None = schedule
    while shorter is not None:
        schedule = shorter
        shorter = next((each for each in without_one_step(schedule) if breaks(each)), None)
    return schedule


def without_one_step(schedule: Schedule) -> Iterator[Schedule]:
    """Yield the schedules that lack exactly one step, and in which what is taken away is given back.

    Without that, nothing comes of the sentinel, and the end of such a case is awaited in vain.
    """
    actions, traps = schedule.actions, schedule.traps
    for index in range(len(traps)):
        yield _trimmed(schedule, actions, (*traps[:index], *traps[index + 1 :]))
    for index in range(len(actions)):
        shorter = _trimmed(schedule, (*actions[:index], *actions[index + 1 :]), traps)
        returned = actions[index].verb in _RETURNS and _RETURNS[actions[index].verb] in shorter.verbs
        if shorter.published and shorter.replays == schedule.replays and not returned:
            yield shorter


def _only(schedule: Schedule, wanted: set[str]) -> Schedule:
    kept = (action for action in schedule.actions if action.verb != "publish" or action.target in wanted)
    return _trimmed(schedule, tuple(kept), schedule.traps)


def _trimmed(schedule: Schedule, actions: tuple, traps: tuple) -> Schedule:  # type: ignore[type-arg]
    named = {*(action.target for action in actions), *(trap.about for trap in traps), SENTINEL}
    messages = {name: message for name, message in schedule.messages.items() if name in named}
    return msgspec.structs.replace(schedule, messages=messages, actions=actions, traps=traps)
