"""Poison: each kind between innocent messages, alone and with a crash while it is handled; then all of them."""

from collections.abc import Iterator

import msgspec

from atleastonce import poisons
from atleastonce.contract import Contract
from atleastonce.history import History
from atleastonce.schedule import Action, Message, Schedule, Trap, publish


def poison(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield the schedules, where the contract promises that poison is set aside and messages come by a queue."""
    promised = {"poison-set-aside", "backs-off"} & {*contract.promised}
    if not promised or contract.input.http:
        return
    given = calm.header.schedule
    kinds = {
        f"p{n}": Message(id=kind.name, poison=n - 1)
        for n, kind in enumerate(poisons.kinds(contract), start=1)
    }
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
