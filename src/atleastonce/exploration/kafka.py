"""What there is on Kafka alone: to join a group, whose offsets move back or are lost, and aborted transactions."""

from collections.abc import Iterator
from itertools import product
from typing import get_args

import msgspec

from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import OF_A_GROUP, Action, Schedule, Trap, When, is_of, publish


def kafka(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield, for every message, a copy of it that was aborted; for every service, what happens to its group.

    Records come again behind offsets that were moved back, wait for a group that has lost them, and change hands.
    While they wait, the service is killed before and after it asks to be a member, and is told that it is.

    A message that is aborted alone is one for those who use transactions: many clients read what is not committed
    unless they are told otherwise, which is no fault where nothing is ever aborted.
    """
    if not contract.input.topic:
        return
    given = calm.header.schedule
    for name in given.messages:
        others = (each for each in given.messages if each != name)
        actions = (Action(abort=name), *publish(name, *others))
        yield msgspec.structs.replace(given, actions=actions)
    first, *rest = given.messages
    in_transactions = any(event.event == "end-txn" for event in calm.events)
    if rest and in_transactions:  # who takes no message twice may have taken the aborted one
        yield msgspec.structs.replace(given, actions=(Action(abort=first), *publish(*rest)))
    for service, declared in contract.all_services.items():
        start = Action(start=service)
        for actions in (
            (*publish(*given.messages), Action(rewind=service), start),
            (*publish(*given.messages), Action(rebalance=service)),
            (Action(stop=service), *publish(*given.messages), Action(forget=service), start),
        ):
            yield msgspec.structs.replace(given, actions=actions)
        fetched = (each for each in calm.events if each.event == "fetch" and is_of(each.service, service))
        if declared.instances > 1 or not any(each.group for each in fetched):
            # It joins no group; or others join at once, and wait for a dead one until its session ends.
            continue
        waiting = (Action(stop=service), *publish(*given.messages), start, start)
        for event, when in product(OF_A_GROUP, get_args(When)):
            trap = Trap(when=when, event=event, service=service, do="kill")
            yield msgspec.structs.replace(given, actions=waiting, traps=(trap,))
