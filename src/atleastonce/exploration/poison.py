"""Poison: each kind between innocent messages, alone and with a crash while it is handled; then all of them."""

from collections.abc import Iterator

import msgspec

from atleastonce import poisons
from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Action, Message, Schedule, Trap, publish


def poison(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield the schedules, where the contract promises that poison is set aside and messages come by a queue."""
    kinds = poison_messages(contract)
    if not kinds:
        return
    given = calm.header.schedule
    first, *others = given.messages
    service = next(iter(contract.all_services))
    handed_over = "fetch" if contract.broker.kind == "kafka" else "deliver"

    def schedule(names: tuple[str, ...], traps: tuple[Trap, ...] = ()) -> Schedule:
        starts = (Action(start=service),) if traps else ()
        return msgspec.structs.replace(
            given,
            messages={**given.messages, **{name: kinds[name] for name in names}},
            actions=(*publish(first, *names, *others), *starts),
            traps=traps,
        )

    for name in kinds:
        yield schedule((name,))
    for name in kinds:
        kill = Trap(when="after", event=handed_over, message=name, service=service, do="kill")
        yield schedule((name,), (kill,))
    if len(kinds) > 1:
        yield schedule(tuple(kinds))


def poison_messages(contract: Contract) -> dict[str, Message]:
    """Return a message of each kind of poison, by name; none where nothing is promised of it, or all comes by HTTP."""
    if contract.input.http or not {"poison-set-aside", "backs-off"} & {*contract.promised}:
        return {}
    kinds = enumerate(poisons.kinds(contract))
    return {f"p{number + 1}": Message(id=kind.name, poison=number) for number, kind in kinds}
