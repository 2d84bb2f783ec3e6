"""``atleastonce demo``: the reference services kept, a mutant of them broken, on real brokers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atleastonce.brokers import Kind, ProviderName
from atleastonce.campaign import Campaign, Plan
from atleastonce.commands import reference
from atleastonce.commands.presenting import Presenter, presenter
from atleastonce.commands.session import Session, Source, session
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.report.progress import watching
from atleastonce.verdict import Outcome

_AS_IT_SHOULD_BE, _NOT_SO = 0, 1
_EVERYTHING = Plan(messages=2)


@dataclass(frozen=True)
class Scene:
    """One thing that the demo shows: a service on a broker, and what should come out."""

    title: str
    broker: Kind
    name: str
    module: str
    expected: Outcome
    plan: Plan = _EVERYTHING


SCENES = (
    Scene(
        "a mutant that acknowledges before the work",
        "rabbitmq",
        "ack-first",
        "campus_food.mutants.ack_first",
        "broken",
        # What is wrong with it shows as soon as it is killed at the wrong moment; one promise tells the story.
        # That nothing is just late was found out long ago.
        Plan(messages=2, explore=("crash",), until="nothing-lost", recovery=0),
    ),
    Scene(
        "the inventory, written with care", "rabbitmq", "inventory", "campus_food.rabbitmq.inventory", "kept"
    ),
    Scene("the same on Kafka", "kafka", "inventory", "campus_food.kafka.inventory", "kept"),
)
"""The mutant comes first: to verify a reference ends with a restart of the broker, which not every release survives
unharmed (RabbitMQ 3.10 now and then refuses new quorum queues afterwards)."""


def run(*, provider: ProviderName, report: Path | None) -> int:
    """Verify every scene, show what came out, and return 0 where it is as it should be."""
    reference.need("the demo")
    shown = presenter(report)
    kinds: Sequence[Kind] = ("rabbitmq", "kafka")
    with session(kinds, Source(provider), shown.say) as running:
        found = [_show(scene, running, shown) for scene in SCENES]
        so = all(findings.outcome == scene.expected for findings, scene in zip(found, SCENES, strict=True))
        code = _AS_IT_SHOULD_BE if so else _NOT_SO
        end = "the reference is kept, the mutant broken" if so else "this is not as it should be"
        shown.present(found, list(running.brokers.values()), f"exit code {code}: {end}")
    return code


def _show(scene: Scene, running: Session, shown: Presenter) -> Findings:
    shown.console.print(f"\n{scene.title} ({scene.name} on {scene.broker})", style="bold")
    contract = reference.contract(shown.folder, scene.broker, scene.name, scene.module)
    histories = shown.histories / f"{scene.broker}-{scene.name}"
    with running.site(contract, histories) as site, watching(shown.console, RULES) as watcher:
        return Campaign(site, scene.plan, watcher).carry_out()
