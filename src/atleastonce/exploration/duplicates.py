"""Duplicates: a publisher that re-sends after an unknown confirm, at once or later; over HTTP, at the same time too."""

from collections.abc import Collection, Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Action, Schedule, publish

LATER = "6s"
"""How long the latest copies come behind the first: an inbox that forgets within 5 s, a usual number, has forgotten."""


def duplicates(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield, for every message, a second copy at once, and one behind all others; then all again, at once and later.

    Over HTTP, where nobody else brings it about, also some copies at the same time: of each message, then of all.
    """
    schedule = calm.header.schedule
    names = tuple(schedule.messages)
    orders = [(*names[: i + 1], name, *names[i + 1 :]) for i, name in enumerate(names)]
    orders += [(*names, name) for name in names[:-1]]
    orders += [(*names, *names)]
    for order in dict.fromkeys(orders):
        yield msgspec.structs.replace(schedule, actions=publish(*order))
    all_of_them = publish(*names)
    yield msgspec.structs.replace(schedule, actions=(*all_of_them, Action(wait=LATER), *all_of_them))
    if contract.input.http:
        for together in dict.fromkeys([*((name,) for name in names), names]):
            yield _bursting(schedule, together)


def _bursting(schedule: Schedule, together: Collection[str]) -> Schedule:
    actions = (Action(burst=name) if name in together else Action(publish=name) for name in schedule.messages)
    return msgspec.structs.replace(schedule, actions=tuple(actions))
