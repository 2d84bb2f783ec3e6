"""What a contract may say that this version does not carry out: refused with a sentence, never passed over."""

from collections.abc import Iterator

from atleastonce.contract import Contract
from atleastonce.errors import ContractError


def refuse(contract: Contract) -> None:
    """Raise ContractError for the first thing that this version does not carry out."""
    for problem in _beyond(contract):
        raise ContractError(f"{problem}; this version does not carry that out")


def _beyond(contract: Contract) -> Iterator[str]:
    services = contract.all_services
    if contract.broker.kind == "kafka":
        if len(services) > 1:
            yield f"services: found a chain of {len(services)} ({', '.join(services)}) on Kafka, expected one service"
        for where, service in contract.tables.items():
            if service.instances != 1 and (why := _alone(contract)):
                yield f"{where}.instances: found {service.instances} on Kafka {why}, expected 1"
    for where, service in contract.tables.items():
        if service.image:
            yield f"{where}.image: found a container image, expected a command"


def _alone(contract: Contract) -> str:
    """Say what keeps a service on Kafka from having several instances: how far it is must be known of all together."""
    if "replays-identically" in contract.promised:
        return "beside the promise replays-identically"
    return 'with progress.by = "observe"' if contract.progress.by == "observe" else ""
