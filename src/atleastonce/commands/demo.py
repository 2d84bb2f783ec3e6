"""``atleastonce demo``: the reference services kept, a mutant of them broken, on real brokers."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from atleastonce.brokers import Kind, ProviderName
from atleastonce.campaign import Campaign, Plan
from atleastonce.commands.presenting import Presenter, presenter
from atleastonce.commands.session import Session, Source, session
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load
from atleastonce.errors import UsageError
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.report.progress import watching
from atleastonce.verdict import Outcome

_REFERENCE = "campus_food"
_AS_IT_SHOULD_BE, _NOT_SO = 0, 1


@dataclass(frozen=True)
class Scene:
    """One thing that the demo shows: a service on a broker, and what should come out."""

    title: str
    broker: Kind
    name: str
    module: str
    expected: Outcome


SCENES = (
    Scene(
        "the inventory, written with care", "rabbitmq", "inventory", "campus_food.rabbitmq.inventory", "kept"
    ),
    Scene("the same on Kafka", "kafka", "inventory", "campus_food.kafka.inventory", "kept"),
    Scene(
        "a mutant that acknowledges before the work",
        "rabbitmq",
        "ack-first",
        "campus_food.mutants.ack_first",
        "broken",
    ),
)


def run(*, provider: ProviderName, report: Path | None) -> int:
    """Verify every scene, show what came out, and return 0 where it is as it should be."""
    if find_spec(_REFERENCE) is None or find_spec("sqlalchemy") is None:
        raise UsageError(
            "the demo runs the reference services, and their libraries are not installed; "
            "install atleastonce with its extra: pip install 'atleastonce[reference]'"
        )
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
    contract = _contract(scene, shown.folder)
    histories = shown.histories / f"{scene.broker}-{scene.name}"
    with running.site(contract, histories) as site, watching(shown.console, RULES) as watcher:
        return Campaign(site, Plan(messages=2), watcher).carry_out()


def _contract(scene: Scene, folder: Path) -> ContractFile:
    """Write the contract of a scene into the report, where the counterexample's replay finds it, and load it."""
    reference = resources.files(_REFERENCE).joinpath("contracts", f"{scene.broker}.toml").read_text("utf-8")
    path = folder / "contracts" / f"{scene.broker}-{scene.name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = reference.replace(f"{_REFERENCE}.{scene.broker}.inventory", scene.module)
    path.write_text(text.replace("[services.inventory", f"[services.{scene.name}"), "utf-8")
    return load(path)
