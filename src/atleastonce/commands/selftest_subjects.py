"""What ``atleastonce selftest`` tries: mutants, each with the promise it breaks, and services that keep them all."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from atleastonce.commands import postgresql, reference
from atleastonce.contract import BrokerKind, QueueType
from atleastonce.conversion import near
from atleastonce.errors import UsageError
from atleastonce.exploration import DEFAULT

BROKERS: dict[str, tuple[BrokerKind, ...]] = {"rabbitmq": ("rabbitmq",), "kafka": ("kafka",), "http": ()}
"""The kinds of broker, and the brokers that they need."""
_SHORT_SESSIONS = ("[broker]", 'SESSION_TIMEOUT = "6000"\n\n[broker]')
"""With a heartbeat every 0.4 s, one instance learns sooner that another one has come or gone."""


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


def subjects(given: Given) -> Iterator[Subject]:
    """Yield everything that there is to try; `why_not` says what cannot be tried here."""
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
            kinds=BROKERS[mutant.broker],
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


def chosen(subjects: Iterator[Subject], only: str | None) -> list[Subject]:
    """Return the subjects that are named; raise UsageError for a name that there is not."""
    known = {each.name: each for each in subjects}
    if only is None:
        return list(known.values())
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    several = {
        "mutants": [name for name, each in known.items() if each.promise],
        "correct": [name for name, each in known.items() if not each.promise],
    }
    named: list[str] = []
    for name in wanted:
        if name not in known and name not in several:
            raise UsageError(f"--only: there is no service {name!r}{near(name, (*several, *known))}")
        named += several.get(name, [name])
    return [known[name] for name in dict.fromkeys(named)]


def at_random(subjects: Iterable[Subject], budget: float) -> Iterator[Subject]:
    """Yield the subjects, each to be tried with nothing but random schedules for so many seconds."""
    for each in subjects:
        why_not = each.why_not or ("" if each.kinds else "random schedules are about a broker")
        yield replace(each, explore=("random",), budget=budget, why_not=why_not)


def groups(subjects: Sequence[Subject]) -> Iterator[list[Subject]]:
    """Yield what shares a broker: the mutants; a correct service is tried with a restart, which others would see."""
    shown = [each for each in subjects if not each.why_not]
    for kinds in dict.fromkeys(each.kinds for each in shown):
        if mutants := [each for each in shown if each.promise and each.kinds == kinds]:
            yield mutants
    yield from ([each] for each in shown if not each.promise)
