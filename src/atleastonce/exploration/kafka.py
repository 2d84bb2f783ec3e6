"""What Kafka alone does to a group: offsets moved back, and offsets lost."""

from collections.abc import Iterator

import msgspec

from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Action, Schedule, publish


def kafka(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield, for every service on Kafka, records that come again, and records that wait for a group without offsets."""
    if contract.broker.kind != "kafka":
        return
    given = calm.header.schedule
    for service in contract.all_services:
        start = Action(start=service)
        for actions in (
            (*publish(*given.messages), Action(rewind=service), start),
            (Action(stop=service), *publish(*given.messages), Action(forget=service), start),
        ):
            yield msgspec.structs.replace(given, actions=actions)
