"""A machine starved of processor time makes unknowns, never accusations."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from slices import thoroughly

from atleastonce.brokers import Broker
from atleastonce.campaign import Campaign, Plan
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.lifetimes import Lifetime
from atleastonce.report.narrative import narrative
from atleastonce.report.telling import of_counterexample
from atleastonce.site import laid_out
from atleastonce.watching import Silent

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(600)]

HOGS_PER_CORE = 16

SLOW_OUTBOX = """
[service]
command = "{python} {script}"
ready_within = "120s"
env = {{ AMQP_URL = "{{amqp_url}}", DATA = "{{data_dir}}" }}
[broker]
kind = "rabbitmq"
[input]
queue = "in"
message = '{{"id": "{{id}}"}}'
[output]
queues = ["out"]
id = "message_id"
[promises]
nothing-lost = true
"""


@contextlib.contextmanager
def starving(environment: dict[str, str]) -> Iterator[None]:
    """Keep every core busy with processes that never yield, for as long as the block lasts."""
    hogs = [
        subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"], env=environment)
        for _ in range(HOGS_PER_CORE * len(os.sched_getaffinity(0)))
    ]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.wait()


class StarvesFromTheSchedulesOn(Silent):
    """Lets the clean runs be calm, and keeps the processors busy from then on."""

    def __init__(self, stack: contextlib.ExitStack, environment: dict[str, str]) -> None:
        self._stack = stack
        self._environment = environment
        self._starves = False

    def stage(self, what: str, total: int | None = None) -> None:  # noqa: ARG002
        """Begin to starve the machine when the schedules begin."""
        if what == "schedules" and not self._starves:
            self._starves = True
            self._stack.enter_context(starving(self._environment))


def verified_while_starving(
    contract: ContractFile, broker: Broker, lifetime: Lifetime, stop: threading.Event, plan: Plan
) -> Findings:
    """Verify with calm clean runs and starved schedules; return the findings."""
    with laid_out(contract, broker, lifetime, stop) as site, contextlib.ExitStack() as stack:
        watcher = StarvesFromTheSchedulesOn(stack, lifetime.environment())
        return Campaign(site, plan, watcher).carry_out()


@pytest.mark.parametrize("broker", ["rabbitmq", thoroughly("kafka")])
def test_a_starved_machine_never_accuses_the_reference(
    campus, atleastonce_brokers, atleastonce_lifetime, no_stop, broker
):
    """Whatever times out, the reference is kept or unknown."""
    running = atleastonce_brokers.get(broker, "native")
    found = verified_while_starving(
        campus(broker), running, atleastonce_lifetime, no_stop, Plan(budget=30, lanes=2)
    )
    accused = [narrative(of_counterexample(example, RULES)) for example in found.counterexamples]
    assert not accused, "\n".join(accused)
    assert found.carried_out > 0
    assert all(tally.broken == 0 for tally in found.tallies.values())


def test_a_slow_outbox_is_unknown_while_the_machine_starves(
    tmp_path: Path, atleastonce_brokers, atleastonce_lifetime, no_stop
):
    """Its output follows the acknowledgement by some processor time: a clock alone would accuse it."""
    script = Path(__file__).parent / "subjects" / "slow_outbox.py"
    path = tmp_path / "contract.toml"
    path.write_text(SLOW_OUTBOX.format(python=sys.executable, script=script))
    broker = atleastonce_brokers.get("rabbitmq", "native")
    plan = Plan(explore=("duplicates",), budget=20, lanes=1, messages=1)
    found = verified_while_starving(load(path), broker, atleastonce_lifetime, no_stop, plan)
    tally = found.tallies["nothing-lost"]
    assert tally.broken == 0
    late = [reason for reason in tally.reasons if "canary" in reason or "not quiet" in reason]
    assert late or tally.kept, tally
