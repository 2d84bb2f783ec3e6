"""Order: many messages of one key in flight together, and nothing else."""

from collections.abc import Iterator

from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Message, Schedule, publish

_TOGETHER = 12


def order(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield one run of messages close behind each other, where the contract promises to keep their order."""
    if "keeps-order" not in contract.promised:
        return
    given = calm.header.schedule
    kinds = [message.body for message in given.messages.values()]
    messages = {f"m{n}": Message(id=f"o{n}", body=kinds[n % len(kinds)]) for n in range(1, _TOGETHER + 1)}
    yield Schedule(contract=given.contract, seed=given.seed, messages=messages, actions=publish(*messages))
