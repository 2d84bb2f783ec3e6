"""The contract file, ``atleastonce.toml``: what it says, how it is read, what can be wrong with it."""

from atleastonce.contract.reading import load, parse
from atleastonce.contract.tables import (
    BrokerKind,
    BrokerTable,
    Contract,
    ContractFile,
    Input,
    Observe,
    OutputTable,
    Poison,
    Progress,
    QueueType,
    Replay,
    Service,
    Topic,
)

__all__ = [
    "BrokerKind",
    "BrokerTable",
    "Contract",
    "ContractFile",
    "Input",
    "Observe",
    "OutputTable",
    "Poison",
    "Progress",
    "QueueType",
    "Replay",
    "Service",
    "Topic",
    "load",
    "parse",
]
