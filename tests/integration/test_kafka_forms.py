"""What there is on Kafka alone: one schedule that breaks each mutant, and none that breaks the reference."""

import pytest
from slices import sliced, thoroughly

from atleastonce.campaign import Plan
from atleastonce.commands import reference
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from campus_food.mutants import MUTANTS

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(120)]

SCHEDULES = {
    "reset-latest": Schedule(
        actions=(
            Action(stop="reset-latest"),
            *publish("m1"),
            Action(forget="reset-latest"),
            Action(start="reset-latest"),
        )
    ),
    "reads-uncommitted": Schedule(actions=(Action(abort="m1"), *publish("m1"))),
    "no-commit-on-revoke": Schedule(actions=(*publish("m1"), Action(rebalance="no-commit-on-revoke"))),
    "nack-is-skip": Schedule(
        actions=publish("m1"),
        traps=(Trap(when="before", event="produce", message="m1", service="nack-is-skip", do="cut"),),
    ),
}
LATE = "no-commit-on-revoke"
"""It commits late, which takes a minute."""


@pytest.mark.parametrize("mutant", sliced(SCHEDULES, SCHEDULES.keys() - {LATE}))
def test_mutant_is_broken_by_one_schedule(subject, mutant, replays, tmp_path):
    """By its promise, whenever it is carried out."""
    wrong, schedule = MUTANTS[mutant], SCHEDULES[mutant]
    contract = reference.contract(tmp_path, "kafka", mutant, wrong.module)
    body = contract.contract.input.message
    sent = {name: Message(id=name, body=body) for name in schedule.published}
    replayed = subject(contract).replay(
        Schedule(messages=sent, actions=schedule.actions, traps=schedule.traps), max(1, replays - 2)
    )
    assert {each.verdicts[wrong.promise].outcome for each in replayed} == {"broken"}


def test_what_was_only_aborted_has_no_effect(subject, replays, tmp_path):
    """A service that takes each message once still takes what nobody committed."""
    contract = reference.contract(tmp_path, "kafka", "shop", MUTANTS["reads-uncommitted"].module)
    sent = {name: Message(id=name, body=contract.contract.input.message) for name in ("m1", "m2")}
    schedule = Schedule(messages=sent, actions=(Action(abort="m1"), *publish("m2")))
    replayed = subject(contract).replay(schedule, max(1, replays - 2))
    found = {
        (each.verdicts["effects-once"].outcome, each.verdicts["effects-once"].blamed) for each in replayed
    }
    assert found == {("broken", ("m1",))}


def test_reference_is_left_alone(subject, campus):
    """Nothing is broken, nothing unknown that had an occasion."""
    found = subject(campus("kafka")).verify(Plan(messages=2, explore=("kafka",))).findings
    assert sum(tally.broken + tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    assert found.tallies["effects-once"].kept > 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "module", "outcome"),
    [
        ("inventory", "", "kept"),
        thoroughly("kafka-no-dedupe", "campus_food.mutants.kafka_no_dedupe", "broken"),
    ],
)
def test_two_instances_share_a_group(subject, tmp_path, name, module, outcome):
    """Each has partitions of its own, which change hands when one is killed: all is kept, or broken, as with one."""
    session = ("[broker]", 'SESSION_TIMEOUT = "6000"\n\n[broker]')
    contract = reference.contract(tmp_path, "kafka", name, module, 2, (session,))
    found = (
        subject(contract)
        .verify(Plan(messages=2, explore=("duplicates", "crash"), confirm=1, recovery=0))
        .findings
    )
    assert found.tallies["effects-once"].outcome == outcome, found.tallies
    if not module:
        assert sum(tally.broken + tally.unknown for tally in found.tallies.values()) == 0, found.tallies
