"""Order: many messages of one key in flight together, and nothing else."""

from collections.abc import Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.crowd import crowd
from atleastonce.history import History
from atleastonce.schedule import Schedule, publish

_TOGETHER = 12


def order(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield one run of messages close behind each other, where the contract promises to keep their order."""
    if "keeps-order" not in contract.promised:
        return
    messages = crowd(calm.header.schedule, _TOGETHER)
    yield msgspec.structs.replace(calm.header.schedule, messages=messages, actions=publish(*messages))
