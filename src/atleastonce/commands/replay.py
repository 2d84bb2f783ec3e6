"""``atleastonce replay`` finds out whether a counterexample is still one."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from atleastonce import campaign, history_file, schedule
from atleastonce.commands.session import Source, session
from atleastonce.commands.verify import with_queue_type
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load, parse
from atleastonce.conversion import near
from atleastonce.errors import UsageError
from atleastonce.faults import FAULTS, RULES
from atleastonce.findings import Judged
from atleastonce.history import Header
from atleastonce.report.telling import retell
from atleastonce.report.terminal import told
from atleastonce.schedule import OF_A_SERVICE, Schedule

_FIXED, _BROKEN, _INCONCLUSIVE = 0, 1, 3
_SURE = 0.99
"""How surely a failure that is chance would have been seen again, before its schedule counts as kept."""


def run(counterexample: Path, *, times: int | None, contract: Path | None, source: Source) -> int:
    """Carry a counterexample out again, and return what it is now as the exit code.

    Without `times`, once, or as often as it takes to see again what is chance (`sure_after`).
    """
    planned = schedule.load(counterexample / "schedule.json")
    header = history_file.load(counterexample / "history.jsonl").header
    chosen = _contract(contract, header)
    check_planned(planned, chosen)
    console = Console(highlight=False)
    most = times or sure_after(*header.confirmed)
    if times is None and most > 1:
        seen, of = header.confirmed
        console.print(f"it was seen again {seen} of {of} times: carried out up to {most} times", style="dim")
    with session(chosen.contract.brokers, source, lambda line: console.print(line, style="dim")) as running:
        with running.site(chosen) as site:
            judged = campaign.replay(site, planned, most, until_broken=times is None)
        return _conclude(console, judged)


def sure_after(seen: int, tried: int) -> int:
    """Return how often a schedule is carried out before what was seen in `seen` of `tried` times is gone.

    Once, where it was seen each time, or nobody knows. What was not seen again at all counts as half a time.
    """
    if seen >= tried:
        return 1
    return math.ceil(math.log(1 - _SURE) / math.log(1 - max(seen, 0.5) / tried))


def check_planned(planned: Schedule, contract: ContractFile) -> None:
    """Raise UsageError for a schedule that names what does not exist, or does what the contract has no way in for."""
    services = contract.contract.all_services
    if "burst" in planned.verbs and not contract.contract.input.http:
        raise UsageError(
            "schedule.json: burst sends a message over HTTP, several times at once; set input.http"
        )
    for trap in planned.traps:
        if trap.do not in FAULTS:
            raise UsageError(f"schedule.json: there is no fault {trap.do!r}{near(trap.do, FAULTS)}")
    named = {action.target for action in planned.actions if action.verb in OF_A_SERVICE}
    named |= {trap.service for trap in planned.traps if trap.service}
    for name in sorted(named - set(services)):
        raise UsageError(f"schedule.json: the contract has no service {name!r}{near(name, services)}")


def _contract(given: Path | None, header: Header) -> ContractFile:
    """Return the contract to replay on: the one given, the file that was used, or else its text as it was."""
    used = Path(header.contract_file)
    if given is not None or used.exists():
        chosen = load(given or used)
    else:
        chosen = ContractFile(path=used, text=header.contract_text, contract=parse(header.contract_text))
    match header.settings.get("queue_type"):
        case ("quorum" | "classic") as queue_type:
            return with_queue_type(chosen, queue_type)
        case None:
            return chosen
        case other:
            raise UsageError(f"the history names the queue type {other!r}; expected quorum or classic")


def _conclude(console: Console, judged: Sequence[Judged]) -> int:
    """Say what the runs came to, with the story of the last that was broken."""
    broken = [(promise, each) for each in judged for promise in each.broken]
    verdicts = [verdict for each in judged for verdict in each.verdicts.values() if verdict.occasion]
    unknown = Counter(verdict.reason for verdict in verdicts if verdict.outcome == "unknown")
    if broken:
        promise, last = broken[-1]
        again = sum(bool(each.broken) for each in judged)
        story = retell(last.history, last.verdicts[promise], RULES, [f"replayed {again} of {len(judged)}"])
        console.print(told(story), soft_wrap=True)
        console.print(f"STILL BROKEN: {again} of {len(judged)}", style="bold red")
        return _BROKEN
    if unknown or not verdicts:
        why = "; ".join(unknown) or "no promise had an occasion"
        console.print(f"INCONCLUSIVE: {why}", style="yellow", markup=False, soft_wrap=True)
        return _INCONCLUSIVE
    console.print(f"FIXED: kept {len(judged)} of {len(judged)}", style="green")
    return _FIXED
