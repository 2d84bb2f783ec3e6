"""Writes down what a history begins with: the contract, the schedule, the promises and their deadlines."""

from importlib import metadata
from typing import Any

import msgspec

from atleastonce.contract import Contract
from atleastonce.expectation import Pace
from atleastonce.history import Event, Header, History, Observation
from atleastonce.layout import Site
from atleastonce.promises import HEALTH, Within
from atleastonce.schedule import Schedule


def unbegun(site: Site, schedule: Schedule, pace: Pace, reason: str) -> History:
    """Return the history of a schedule that could not be begun."""
    return History(
        header=header(site, schedule, {"promised": promised(site.contract.contract, pace)}),
        events=(Event(event="begun", ok=False, note=reason),),
        observations=(Observation(observed="before", unreadable=reason),),
    )


def promised(contract: Contract, pace: Pace) -> dict[str, Any]:
    """Return every promise with its options, the deadlines that were kept among them."""
    found = {
        name: msgspec.to_builtins(options, enc_hook=float) for name, options in contract.promised.items()
    }
    for name, options in contract.promised.items():
        if isinstance(options, Within) and options.within is None:
            found[name]["within"] = pace.health if name == HEALTH else pace.deadline
    return found


def header(site: Site, schedule: Schedule, declared: dict[str, Any]) -> Header:
    """Return what a history begins with."""
    contract = site.contract
    return Header(
        contract=contract.sha256,
        contract_file=str(contract.path.resolve()),
        contract_text=contract.text,
        schedule=schedule,
        seed=schedule.seed,
        broker=contract.contract.broker.kind,
        settings=dict(site.settings),
        versions={"atleastonce": metadata.version("atleastonce")},
        services=tuple(contract.contract.all_services),
        declared=declared,
    )
