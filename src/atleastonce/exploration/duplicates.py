"""Duplicates: a publisher that re-sends after an unknown confirm, at once or later; over HTTP, at the same time too."""

import math
from collections.abc import Collection, Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.crowd import CROWD, crowd
from atleastonce.history import History
from atleastonce.schedule import Action, Schedule, publish
from atleastonce.templates import OF_A_MESSAGE, placeholders

_LATER = "6s"
"""How long the latest copies come behind the first: an inbox that forgets within 5 s, a usual number, has forgotten."""

_SPAN = 1.5
"""How long a crowd may take, in seconds: it comes three times, with its clean runs, and is looked at as often."""


def duplicates(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield, for every message, a second copy at once, and one behind all others; then all again, at once and later.

    Of a service that is quick enough, the first messages of a crowd come again behind the rest: an inbox that knows
    the last few alone has forgotten them. Over HTTP, where nobody else brings it about, some copies come at the same
    time, too: of each message, then of all.
    """
    schedule = calm.header.schedule
    names = tuple(schedule.messages)
    orders = [(*names[: i + 1], name, *names[i + 1 :]) for i, name in enumerate(names)]
    orders += [(*names, name) for name in names[:-1]]
    orders += [(*names, *names)]
    for order in dict.fromkeys(orders):
        yield msgspec.structs.replace(schedule, actions=publish(*order))
    all_of_them = publish(*names)
    yield msgspec.structs.replace(schedule, actions=(*all_of_them, Action(wait=_LATER), *all_of_them))
    if len(names) < CROWD and _is_quick(calm, contract):
        many = crowd(schedule, CROWD)
        again = tuple(many)[: len(names)]
        yield msgspec.structs.replace(schedule, messages=many, actions=publish(*many, *again))
    if contract.input.http:
        for together in dict.fromkeys([*((name,) for name in names), names]):
            yield _bursting(schedule, together)


def _is_quick(calm: History, contract: Contract) -> bool:
    """Tell whether a crowd is soon handled, as it was in the calm run, and looked at without a process per message."""
    came = [event.t for event in calm.named("published")]
    settled = [event.t for event in calm.events if event.settles]
    pace = (settled[-1] - came[0]) / len(came) if came and settled else math.inf
    return pace * CROWD <= _SPAN and {*placeholders(contract.observe.command)}.isdisjoint(OF_A_MESSAGE)


def _bursting(schedule: Schedule, together: Collection[str]) -> Schedule:
    actions = (Action(burst=name) if name in together else Action(publish=name) for name in schedule.messages)
    return msgspec.structs.replace(schedule, actions=tuple(actions))
