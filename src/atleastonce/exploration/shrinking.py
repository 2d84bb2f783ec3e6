"""Shrinks a schedule that breaks a promise to one from which no step can be left out."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from atleastonce.schedule import BROKER, SENDS, SENTINEL, Action, Schedule, Trap, When, is_of

_ENDED_BY = {
    "stop": "start",
    "rewind": "start",
    "forget": "start",
    "isolate": "mend",
    "unroute": "reroute",
}
"""Actions that begin something, and what ends it again."""
_ENDS_SERVICE = frozenset({"kill", "stop"})
"""Faults after which a service has to be started again."""

_SURE = 3
"""How often a fault aimed elsewhere breaks before it takes the place of the one that was confirmed."""
_ON_KAFKA = frozenset({"fetch", "produce", "commit", "end-txn", "response"})
"""What a trap waits for on Kafka alone."""

Step = Action | Trap


def shrink(schedule: Schedule, blamed: Iterable[str], breaks: Callable[[Schedule], bool]) -> Schedule:
    """Return the shortest schedule found that still breaks; `breaks` carries one out, and is asked rarely.

    Where the fault struck a neighbour of the blamed message, it is aimed at that one, alone. Then everything that has
    nothing to do with the blamed messages is left out at once, which is nearly always the answer; where none is
    blamed, all but one. Then what belongs together is left out together, half of it, a quarter, and so on, so that
    dozens of messages take few tries; then every single step is tried, until none can go. What cannot be judged is
    not asked about; nothing is twice, but for a fault that was aimed anew: that shall be no luck.
    """
    asked: dict[str, bool] = {}

    def still(shorter: Schedule) -> bool:
        if not _can_be_judged(shorter) or shorter.steps >= schedule.steps:
            return False
        said = shorter.describe()
        if said not in asked:
            asked[said] = breaks(shorter)
        return asked[said]

    blamed = (*blamed,)
    for aimed in _aimed(schedule, blamed):
        if still(aimed) and all(breaks(aimed) for _ in range(_SURE - 1)):
            schedule = aimed
            break
    wanted = {*blamed, *schedule.trapped} or {*schedule.published[:1]}
    focused = _only(schedule, wanted)
    if focused.published and still(focused):
        schedule = focused
    schedule = _by_parts(schedule, still)
    shorter: Schedule | None = schedule
    while shorter is not None:
        schedule = shorter
        shorter = next((each for each in without_one_step(schedule) if still(each)), None)
    return schedule


def without_one_step(schedule: Schedule) -> Iterator[Schedule]:
    """Yield the schedules that lack exactly one step, and can be judged."""
    actions, traps = schedule.actions, schedule.traps
    for index in range(len(traps)):
        yield _trimmed(schedule, actions, (*traps[:index], *traps[index + 1 :]))
    for index in range(len(actions)):
        shorter = _trimmed(schedule, (*actions[:index], *actions[index + 1 :]), traps)
        if shorter.published and shorter.replays == schedule.replays and _can_be_judged(shorter):
            yield shorter


def _aimed(schedule: Schedule, blamed: Sequence[str]) -> Iterator[Schedule]:
    """Yield the schedules in which the one fault strikes the one blamed message, in place of a neighbour of it.

    How far a message had got when a neighbour of it was struck is a matter of luck. It is struck before it is handed
    over, or where the neighbour was; or, as the neighbour, some time later.
    """
    if len(blamed) != 1 or len(schedule.traps) != 1 or blamed[0] in schedule.trapped:
        return
    (trap,) = schedule.traps
    if trap.is_write or not trap.message or trap.link != BROKER:
        return
    handed_over = "fetch" if trap.event in _ON_KAFKA else "deliver"
    points: dict[tuple[When, str, str], None] = dict.fromkeys(
        (
            *((("after", handed_over, trap.later),) if trap.later else ()),
            ("before", handed_over, ""),
            ("before", trap.event, ""),
            ("after", trap.event, ""),
        )
    )
    for when, event, later in points:
        aimed = msgspec.structs.replace(trap, when=when, event=event, message=blamed[0], nth=1, later=later)
        yield _only(msgspec.structs.replace(schedule, traps=(aimed,)), {*blamed})


def _by_parts(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> Schedule:
    """Leave out as many parts at once as can go, ever fewer of them."""
    size = len(_parts(schedule)) // 2
    while size > 0:
        at = 0
        while at < len(parts := _parts(schedule)):
            shorter = _without(schedule, {step for part in parts[at : at + size] for step in part})
            if shorter.published and shorter.replays == schedule.replays and breaks(shorter):
                schedule = shorter  # what followed stands here now
            else:
                at += size
        size //= 2
    return schedule


def _parts(schedule: Schedule) -> list[set[int]]:
    """Return the steps that belong together, by their numbers: actions in their order, then traps."""
    parts: list[set[int]] = []
    begun: dict[tuple[str, str], set[int]] = {}
    for number, trap in enumerate(schedule.traps, len(schedule.actions)):
        parts.append({number})
        if trap.do in _ENDS_SERVICE:
            begun[("start", trap.service)] = parts[-1]
    for number, action in reversed([*enumerate(schedule.actions)]):
        end = _ENDED_BY.get(action.verb)
        if end is not None and (end, action.target) in begun:
            part = begun[end, action.target]
        elif action.verb in _ENDED_BY.values():
            part = begun.get((action.verb, action.target), set())
            begun[action.verb, action.target] = part
        else:
            part = set()
        part.add(number)
        if part not in parts:
            parts.insert(0, part)
    return parts


def _without(schedule: Schedule, steps: set[int]) -> Schedule:
    kept = [number not in steps for number in range(schedule.steps)]
    count = len(schedule.actions)
    actions = tuple(each for each, stays in zip(schedule.actions, kept[:count], strict=True) if stays)
    traps = tuple(each for each, stays in zip(schedule.traps, kept[count:], strict=True) if stays)
    return _trimmed(schedule, actions, traps)


def _can_be_judged(schedule: Schedule) -> bool:
    """Tell whether each trap can spring, and what was ended or taken away comes back.

    Otherwise nothing comes of the sentinel, and the end of such a case is awaited in vain.
    """
    if not schedule.trapped <= {*schedule.published, SENTINEL}:
        return False
    away: set[tuple[str, str]] = set()
    for action in schedule.actions:
        away.discard((action.verb, action.target))
        if action.verb in _ENDED_BY:
            away.add((_ENDED_BY[action.verb], action.target))
    started = [action.target for action in schedule.actions if action.verb == "start"]
    deadly = [trap.service for trap in schedule.traps if trap.do in _ENDS_SERVICE]
    return not away and all(any(not ended or is_of(ended, name) for name in started) for ended in deadly)


def _only(schedule: Schedule, wanted: set[str]) -> Schedule:
    kept = (action for action in schedule.actions if action.verb not in SENDS or action.target in wanted)
    return _trimmed(schedule, tuple(kept), schedule.traps)


def _trimmed(schedule: Schedule, actions: tuple[Action, ...], traps: tuple[Trap, ...]) -> Schedule:
    named = {*(action.target for action in actions), *(trap.about for trap in traps), SENTINEL}
    messages = {name: message for name, message in schedule.messages.items() if name in named}
    return msgspec.structs.replace(schedule, messages=messages, actions=actions, traps=traps)
