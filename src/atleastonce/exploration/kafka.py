"""What there is on Kafka alone: offsets moved back, and lost, a second member of the group, aborted transactions."""

from collections.abc import Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Action, Schedule, publish


def kafka(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield, for every message, a copy of it that was aborted; for every service, what happens to its group.

    Records come again behind offsets that were moved back, wait for a group that has lost them, and change hands.
    """
    if contract.broker.kind != "kafka":
        return
    given = calm.header.schedule
    for name in given.messages:
        others = (each for each in given.messages if each != name)
        actions = (Action(abort=name), *publish(name, *others))
        yield msgspec.structs.replace(given, actions=actions)
    for service in contract.all_services:
        start = Action(start=service)
        for actions in (
            (*publish(*given.messages), Action(rewind=service), start),
            (*publish(*given.messages), Action(rebalance=service)),
            (Action(stop=service), *publish(*given.messages), Action(forget=service), start),
        ):
            yield msgspec.structs.replace(given, actions=actions)
