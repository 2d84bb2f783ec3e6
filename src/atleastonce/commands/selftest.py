"""``atleastonce selftest`` shows that the checks bite, and that they leave correct services alone.

Every mutant must be broken by its promise, and no correct service by any.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from atleastonce.brokers import ProviderName
from atleastonce.campaign import Campaign, Plan
from atleastonce.commands import postgresql, reference
from atleastonce.commands.presenting import Presenter, presenter
from atleastonce.commands.selftest_results import MARKS, Tried, few_unknown, result, show
from atleastonce.commands.selftest_subjects import (
    BROKERS,
    Given,
    Subject,
    at_random,
    chosen,
    groups,
    subjects,
)
from atleastonce.commands.session import Session, Source, session
from atleastonce.commands.verify import duration, with_queue_type
from atleastonce.contract import ContractFile, QueueType
from atleastonce.errors import ServiceError
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.report.folder import write_text
from atleastonce.report.progress import watching
from atleastonce.watching import Silent, Watcher

_AS_IT_SHOULD_BE, _NOT_SO = 0, 1
_SHRINKS = 5.0
_MOST_TOGETHER = 4
"""How many mutants are tried side by side at most, on one broker; they wait most of the time."""


def run(
    *,
    provider: ProviderName,
    queue_type: QueueType | None,
    only: str | None,
    report: Path | None,
    broker: str | None = None,
    random: str | None = None,
    database: str | None = None,
) -> int:
    """Try every mutant and every correct service, show what came out, and return 0 where it is as it should be."""
    reference.need("selftest")
    kinds = None if broker is None else BROKERS[broker]
    given = Given(queue_type, database)
    wanted = chosen((each for each in subjects(given) if kinds in (None, each.kinds)), only)
    if random is not None:
        wanted = [*at_random(wanted, duration(random, "--random"))]
    shown = presenter(report)
    began = time.monotonic()
    tried: list[Tried] = []
    for group in groups(wanted):
        with session(group[0].kinds, Source(provider), shown.say) as running:
            tried += _all_tried(group, running, shown, given)
    seconds = time.monotonic() - began
    show(tried, wanted, shown)
    found = result(tried)
    write_text(shown.folder / "selftest.json", json.dumps(found, indent=1) + "\n")
    so = all(each.as_it_should_be for each in tried) and few_unknown(found)
    code = _AS_IT_SHOULD_BE if so else _NOT_SO
    mutants = [each for each in tried if each.subject.promise]
    end = (
        f"{sum(each.as_it_should_be for each in mutants)} of {len(mutants)} mutants broken, "
        f"{found['false_alarms']} false alarms and {found['unknown']} unknown in {found['verdicts']} "
        f"verdicts on correct services · {seconds:.0f} s · exit code {code}"
    )
    shown.console.print(f"\n{end}", markup=False, highlight=False, soft_wrap=True)
    shown.say(f"report: {shown.folder / 'selftest.json'}")
    return code


def _all_tried(group: Sequence[Subject], running: Session, shown: Presenter, given: Given) -> list[Tried]:
    """Try what shares a broker, side by side; where one cannot be tried or we are interrupted, all end."""
    with ThreadPoolExecutor(min(_MOST_TOGETHER, os.cpu_count() or 1)) as together:
        try:
            return list(together.map(lambda each: _tried(each, running, shown, given), group))
        except BaseException:
            running.stop.set()
            together.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _contract(subject: Subject, running: Session, shown: Presenter, given: Given) -> Iterator[ContractFile]:
    """Write its contract into the report; where it shares a PostgreSQL, one that is given or of our own."""
    contract = reference.contract(
        shown.folder, subject.stem, subject.name, subject.module, subject.instances, subject.amended
    )
    if not subject.shared:
        yield contract
    elif given.database:
        with postgresql.apart(
            given.database, f"{subject.name.replace('-', '_')}_{running.lifetime.token}"
        ) as url:
            yield reference.with_database(contract, url)
    else:
        with postgresql.opened(running.lifetime) as server:
            yield reference.with_database(contract, server.database("campus"))


def _tried(subject: Subject, running: Session, shown: Presenter, given: Given) -> Tried:
    began = time.monotonic()
    plan = Plan(
        explore=subject.explore,
        budget=subject.budget,
        messages=2,
        until=subject.promise,
        confirm=1 if subject.promise else 3,
        shrink_budget=_SHRINKS,
        # What a mutant has lost is lost, as everybody knows: no need to await each of them for longer.
        recovery=0 if subject.promise else Plan.recovery,
    )
    if not subject.promise:
        shown.console.print(f"\n{subject.name} (correct)", style="bold")
    with (
        _contract(subject, running, shown, given) as contract,
        running.site(
            with_queue_type(contract, given.queue_type if "rabbitmq" in subject.kinds else None),
            shown.histories / subject.name,
        ) as laid,
        _watcher(subject, shown) as watcher,
    ):
        # Others are tried beside a mutant, and would see the broker restarted.
        site = replace(laid, restart=None) if subject.promise else laid
        try:
            findings, failed = Campaign(site, plan, watcher).carry_out(), ""
        except ServiceError as error:  # the others can be tried all the same
            findings, failed = Findings(subject.name, contract.contract.broker.kind), str(error)
    tried = Tried(subject, findings, time.monotonic() - began, failed)
    about = f"{subject.name} (breaks {subject.promise}): " if subject.promise else ""
    came_of_it = (
        f"{MARKS[tried.verdict]}, after {tried.findings.carried_out} schedules and {tried.seconds:.1f} s"
    )
    shown.say(about + came_of_it)
    return tried


def _watcher(subject: Subject, shown: Presenter) -> AbstractContextManager[Watcher]:
    """Watch a correct service; that a mutant fails is no news."""
    return nullcontext(Silent()) if subject.promise else watching(shown.console, RULES)
