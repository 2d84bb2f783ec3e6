"""``atleastonce selftest`` shows that the checks bite, and that they leave correct services alone.

Every mutant must be broken by its promise, and no correct service by any.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from atleastonce.brokers import ProviderName
from atleastonce.campaign import Campaign, Plan
from atleastonce.commands import postgresql, reference
from atleastonce.commands.presenting import Presenter, presenter
from atleastonce.commands.session import Session, Source, session
from atleastonce.commands.verify import duration, with_queue_type
from atleastonce.contract import BrokerKind, ContractFile, QueueType
from atleastonce.conversion import near
from atleastonce.errors import UsageError
from atleastonce.exploration import DEFAULT
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.report.folder import write_text
from atleastonce.report.progress import watching
from atleastonce.watching import Silent, Watcher

_AS_IT_SHOULD_BE, _NOT_SO = 0, 1
_MOST_UNKNOWN = 0.01
_SHRINKS = 5.0
_MOST_TOGETHER = 4
"""How many mutants are tried side by side at most, on one broker; they wait most of the time."""
_BROKERS: dict[str, tuple[BrokerKind, ...]] = {"rabbitmq": ("rabbitmq",), "kafka": ("kafka",), "http": ()}
"""The kinds of broker, and the brokers that they need."""
_SHORT_SESSIONS = ("[broker]", 'SESSION_TIMEOUT = "6000"\n\n[broker]')
"""With a heartbeat every 0.4 s, one instance learns sooner that another one has come or gone."""
_MARKS = {"broken": "✗ broken", "kept": "✓ kept", "unknown": "? unknown"}


@dataclass(frozen=True)
class Subject:
    """A service to try, and what should come of it: `promise` is the one it breaks, empty for a correct one."""

    name: str
    stem: str
    module: str = ""
    promise: str = ""
    instances: int = 1
    amended: tuple[tuple[str, str], ...] = ()
    """What is different in its contract."""
    explore: tuple[str, ...] = DEFAULT
    budget: float | None = None
    kinds: tuple[BrokerKind, ...] = ("rabbitmq",)
    """The brokers that it needs."""
    why_not: str = ""
    """Why its fault cannot be shown here: on this type of queue, or without what it needs."""

    @property
    def shared(self) -> bool:
        """Whether several write to one PostgreSQL."""
        return self.stem == reference.SHARED


@dataclass(frozen=True)
class Given:
    """What the user has said of queues, and of a PostgreSQL."""

    queue_type: QueueType | None
    database: str | None


@dataclass(frozen=True)
class Tried:
    """What came of it."""

    subject: Subject
    findings: Findings
    seconds: float

    @property
    def verdict(self) -> str:
        """The verdict on the promise that a mutant breaks; of a correct service, on all of them."""
        promise = self.subject.promise
        return self.findings.tallies[promise].outcome if promise else self.findings.outcome

    @property
    def as_it_should_be(self) -> bool:
        """Whether a mutant was caught, or a correct service left alone."""
        return (self.verdict == "broken") is bool(self.subject.promise)

    @property
    def also(self) -> list[str]:
        """The other promises that a mutant breaks."""
        broken = (name for name, tally in self.findings.tallies.items() if tally.outcome == "broken")
        return [name for name in broken if name != self.subject.promise]

    @property
    def steps(self) -> int | None:
        """How long the counterexample is."""
        found = self.findings.counterexample(self.subject.promise)
        return found.judged.history.header.schedule.steps if found else None


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
    kinds = None if broker is None else _BROKERS[broker]
    given = Given(queue_type, database)
    found = (each for each in _subjects(given) if kinds in (None, each.kinds))
    subjects = _chosen(found, only)
    if random is not None:
        subjects = [*_at_random(subjects, duration(random, "--random"))]
    shown = presenter(report)
    began = time.monotonic()
    tried: list[Tried] = []
    for group in _groups(subjects):
        with session(group[0].kinds, Source(provider), shown.say) as running:
            tried += _all_tried(group, running, shown, given)
    seconds = time.monotonic() - began
    _show(tried, subjects, shown)
    result = _result(tried)
    write_text(shown.folder / "selftest.json", json.dumps(result, indent=1) + "\n")
    so = all(each.as_it_should_be for each in tried) and _few_unknown(result)
    code = _AS_IT_SHOULD_BE if so else _NOT_SO
    mutants = [each for each in tried if each.subject.promise]
    end = (
        f"{sum(each.as_it_should_be for each in mutants)} of {len(mutants)} mutants broken, "
        f"{result['false_alarms']} false alarms and {result['unknown']} unknown in {result['verdicts']} "
        f"verdicts on correct services · {seconds:.0f} s · exit code {code}"
    )
    shown.console.print(f"\n{end}", markup=False, highlight=False, soft_wrap=True)
    shown.say(f"report: {shown.folder / 'selftest.json'}")
    return code


# -- what is tried


def _subjects(given: Given) -> Iterator[Subject]:
    from campus_food.green import GREEN  # noqa: PLC0415 - an extra, which may not be installed
    from campus_food.mutants import MUTANTS  # noqa: PLC0415 - as above

    lacking = "" if given.database or postgresql.programs() else postgresql.MISSING
    for name, mutant in {**MUTANTS, **GREEN}.items():
        here = "" if (given.queue_type or "quorum") in mutant.queue_types else mutant.why_not
        yield Subject(
            name=name,
            stem=mutant.contract,
            module=mutant.module,
            promise=mutant.promise,
            instances=mutant.instances,
            amended=mutant.amended,
            explore=mutant.explore,
            kinds=_BROKERS[mutant.broker],
            why_not=lacking if mutant.contract == reference.SHARED else here,
        )
    for name, stem in (("inventory", "rabbitmq"), ("order", "order"), ("notification", "notification")):
        yield Subject(name=name, stem=stem)
    yield Subject(
        name="two-inventories", stem=reference.SHARED, explore=(*DEFAULT, "writes"), why_not=lacking
    )
    for name, stem in (("kafka-inventory", "kafka"), ("analytics", "analytics")):
        yield Subject(name=name, stem=stem, kinds=("kafka",))
    yield Subject(
        name="two-instances", stem="kafka", instances=2, amended=(_SHORT_SESSIONS,), kinds=("kafka",)
    )
    yield Subject(name="rest", stem="rest", kinds=())


def _chosen(subjects: Iterator[Subject], only: str | None) -> list[Subject]:
    """Return the subjects that are named; raise UsageError for a name that there is not."""
    known = {each.name: each for each in subjects}
    if only is None:
        return list(known.values())
    chosen = [name.strip() for name in only.split(",") if name.strip()]
    groups = {
        "mutants": [name for name, each in known.items() if each.promise],
        "correct": [name for name, each in known.items() if not each.promise],
    }
    named: list[str] = []
    for name in chosen:
        if name not in known and name not in groups:
            raise UsageError(f"--only: there is no service {name!r}{near(name, (*groups, *known))}")
        named += groups.get(name, [name])
    return [known[name] for name in dict.fromkeys(named)]


def _at_random(subjects: Iterable[Subject], budget: float) -> Iterator[Subject]:
    """Yield the subjects, each to be tried with nothing but random schedules for so many seconds."""
    for each in subjects:
        why_not = each.why_not or ("" if each.kinds else "random schedules are about a broker")
        yield replace(each, explore=("random",), budget=budget, why_not=why_not)


def _groups(subjects: Sequence[Subject]) -> Iterator[list[Subject]]:
    """Yield what shares a broker: the mutants; a correct service is tried with a restart, which others would see."""
    shown = [each for each in subjects if not each.why_not]
    for kinds in dict.fromkeys(each.kinds for each in shown):
        if mutants := [each for each in shown if each.promise and each.kinds == kinds]:
            yield mutants
    yield from ([each] for each in shown if not each.promise)


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
        lanes=1 if subject.shared else 2,
        budget=subject.budget,
        messages=2,
        until=subject.promise,
        confirm=1 if subject.promise else 3,
        shrink_budget=_SHRINKS,
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
        findings = Campaign(site, plan, watcher).carry_out()
    tried = Tried(subject, findings, time.monotonic() - began)
    about = f"{subject.name} (breaks {subject.promise}): " if subject.promise else ""
    came_of_it = (
        f"{_MARKS[tried.verdict]}, after {tried.findings.carried_out} schedules and {tried.seconds:.1f} s"
    )
    shown.say(about + came_of_it)
    return tried


def _watcher(subject: Subject, shown: Presenter) -> AbstractContextManager[Watcher]:
    """Watch a correct service; that a mutant fails is no news."""
    return nullcontext(Silent()) if subject.promise else watching(shown.console, RULES)


# -- what came of it


def _result(tried: Sequence[Tried]) -> dict[str, Any]:
    """Return what ``selftest.json`` holds (CONTRACT: *The report folder*)."""
    tallies = [
        tally for each in tried if not each.subject.promise for tally in each.findings.tallies.values()
    ]
    return {
        "mutants": {
            each.subject.name: {
                "promise": each.subject.promise,
                "verdict": each.verdict,
                "also": each.also,
                "seconds": round(each.seconds, 2),
                "steps": each.steps,
            }
            for each in tried
            if each.subject.promise
        },
        "verdicts": sum(tally.kept + tally.broken + tally.unknown for tally in tallies),
        "false_alarms": sum(tally.broken for tally in tallies),
        "unknown": sum(tally.unknown for tally in tallies),
    }


def _few_unknown(result: dict[str, Any]) -> bool:
    return bool(result["unknown"] <= _MOST_UNKNOWN * result["verdicts"])


def _show(tried: Sequence[Tried], subjects: Sequence[Subject], shown: Presenter) -> None:
    table = Table("service", "breaks", "verdict", "also", "steps", "seconds")
    for each in tried:
        steps = "" if each.steps is None else str(each.steps)
        row = (
            each.subject.name,
            each.subject.promise or "nothing",
            _MARKS[each.verdict],
            ", ".join(each.also),
        )
        style = "" if each.as_it_should_be else "bold red"
        table.add_row(*row, steps, f"{each.seconds:.1f}", style=style)
    shown.console.print()
    shown.console.print(table)
    for left_out in (subject for subject in subjects if subject.why_not):
        shown.say(f"{left_out.name} was left out: {left_out.why_not}")
    for each in tried:
        if each.subject.promise and not each.as_it_should_be:
            shown.say(f"{each.subject.name} was not found: {_why_kept(each)}")
    for each in tried:
        if not each.subject.promise:
            for promise, tally in each.findings.tallies.items():
                for reason, times in tally.reasons.items():
                    shown.say(f"{each.subject.name}: {promise} unknown {times} times: {reason}")


def _why_kept(tried: Tried) -> str:
    """Say why a mutant was not caught, as far as its schedules tell."""
    tally = tried.findings.tallies[tried.subject.promise]
    of = f"in {tried.findings.carried_out} schedules"
    if not tally.kept and not tally.unknown:
        return f"nothing gave {tried.subject.promise} an occasion {of}"
    reasons = "; ".join(f"{times} times: {reason}" for reason, times in tally.reasons.items())
    left_out = f"; {tried.findings.left_out}" if tried.findings.left_out else ""
    found = f"{tried.subject.promise} was kept {tally.kept} times {of}"
    return f"{found}{f', unknown {reasons}' if reasons else ''}{left_out}"
