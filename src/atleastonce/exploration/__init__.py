"""Which schedules to try: from a calm run to schedules, and from a schedule to shorter ones."""

from collections.abc import Callable, Iterator

from atleastonce.contract import Contract
from atleastonce.exploration.crash_points import crashes
from atleastonce.exploration.duplicates import duplicates
from atleastonce.exploration.http import http
from atleastonce.exploration.kafka import kafka
from atleastonce.exploration.order import order
from atleastonce.exploration.outages import outages
from atleastonce.exploration.poison import poison
from atleastonce.exploration.replays import replays
from atleastonce.exploration.writes import traces
from atleastonce.history import History
from atleastonce.schedule import Schedule


def _random(calm: History, contract: Contract) -> Iterator[Schedule]:
    from atleastonce.exploration.mixtures import mixtures  # noqa: PLC0415 - Hypothesis takes its time to come

    return mixtures(calm, contract)


Explorer = Callable[[History, Contract], Iterator[Schedule]]

EXPLORERS: dict[str, Explorer] = {
    "duplicates": duplicates,
    "order": order,
    "poison": poison,
    "outage": outages,
    "crash": crashes,
    "http": http,
    "replay": replays,
    "kafka": kafka,
    "writes": traces,
    "random": _random,
}
"""By the name that ``--explore`` takes; from a calm history of the messages to use, and the contract.

What ``writes`` yields only shows how long its walks are: `writes.onward` says where they go. What ``random``
yields has no end.
"""

DEFAULT = tuple(name for name in EXPLORERS if name not in ("writes", "random"))
"""What is explored where nobody says what: write points are many, and random schedules have no end."""
