"""``atleastonce verify`` finds out whether a service keeps what its contract promises."""

from dataclasses import replace
from pathlib import Path

import msgspec

from atleastonce.assembly import at_hand
from atleastonce.campaign import Campaign, Plan
from atleastonce.commands.presenting import presenter
from atleastonce.commands.session import Source, session
from atleastonce.contract import ContractFile, QueueType
from atleastonce.contract_file import load
from atleastonce.conversion import near
from atleastonce.durations import Duration
from atleastonce.errors import UsageError
from atleastonce.exploration import DEFAULT, EXPLORERS
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.report.progress import watching
from atleastonce.report.rows import counted
from atleastonce.report.terminal import MEANINGS
from atleastonce.scope import refuse

EXIT_CODES = {"kept": 0, "broken": 1, "unknown": 3}


def run(
    file: Path,
    *,
    plan: Plan,
    budget: str | None,
    explore: str | None,
    queue_type: QueueType | None,
    source: Source,
    report: Path | None,
) -> int:
    """Verify a contract, show and write the verdicts, and return the exit code."""
    contract = with_queue_type(load(file), queue_type)
    refuse(contract.contract)
    at_hand(contract)
    plan = replace(plan, explore=explored(explore), budget=None if budget is None else duration(budget))
    shown = presenter(report)
    with (
        shown.interruptible(),
        session(contract.contract.brokers, source, shown.say) as running,
        running.site(contract, shown.histories) as site,
    ):
        with watching(shown.console, RULES) as watcher:
            findings = Campaign(site, plan, watcher).carry_out()
        code, end = ending(findings)
        shown.present([findings], list(running.brokers.values()), end)
    return code


def ending(findings: Findings) -> tuple[int, str]:
    """Return the exit code and what it means: kept so far, where not everything that was planned was carried out."""
    code = EXIT_CODES[findings.outcome]
    left = counted(findings.left, "schedule")
    so_far = f" so far, with {left} left{findings.why_left}" if not code and findings.left else ""
    return code, f"exit code {code}: {MEANINGS[code]}{so_far}"


def with_queue_type(contract: ContractFile, queue_type: QueueType | None) -> ContractFile:
    """Return a contract for another type of queue; None leaves it as it is."""
    if queue_type is None:
        return contract
    if not contract.contract.reads_queue_type:
        raise UsageError(
            f"--queue-type {queue_type}: no text of the contract asks for {{queue_type}}, so the service would not "
            "know; pass it to the service in its env, or leave the option out"
        )
    broker = msgspec.structs.replace(contract.contract.broker, queue_type=queue_type)
    changed = msgspec.structs.replace(contract.contract, broker=broker)
    return msgspec.structs.replace(contract, contract=changed)


def explored(names: str | None) -> tuple[str, ...]:
    """Read what ``--explore`` names; raise UsageError for what does not exist."""
    if names is None:
        return DEFAULT
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in EXPLORERS:
            raise UsageError(f"--explore: there is no exploration {name!r}{near(name, EXPLORERS)}")
    if not chosen:
        raise UsageError(f"--explore: found nothing; name any of {', '.join(EXPLORERS)}")
    return chosen


def duration(text: str, option: str = "--budget") -> float:
    """Read what an option gives, in seconds; raise UsageError for what is no duration."""
    try:
        return float(Duration.parse(text))
    except ValueError as exc:
        raise UsageError(f"{option}: {exc}") from exc
