"""Duplicates: a publisher that re-sends after an unknown confirm, at once or later."""

from collections.abc import Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Schedule, publish


def duplicates(calm: History, contract: Contract) -> Iterator[Schedule]:  # noqa: ARG001 - as explorers are called
    """Yield, for every message, a second copy at once and one behind all others; then everything twice."""
    schedule = calm.header.schedule
    names = tuple(schedule.messages)
    orders = [(*names[: i + 1], name, *names[i + 1 :]) for i, name in enumerate(names)]
    orders += [(*names, name) for name in names[:-1]]
    orders += [(*names, *names)]
    for order in dict.fromkeys(orders):
        yield msgspec.structs.replace(schedule, actions=publish(*order))
