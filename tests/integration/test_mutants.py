"""Each mutant is broken by its primary promise, and its counterexample can be replayed."""

from dataclasses import replace

import msgspec
import pytest
from slices import sliced

from atleastonce.campaign import Plan
from atleastonce.commands import reference
from atleastonce.exploration.shrinking import without_one_step
from atleastonce.history_file import lines, read
from atleastonce.rejudging import rejudged
from atleastonce.site import laid_out
from atleastonce.workshop import Workshop
from campus_food.green import GREEN
from campus_food.mutants import MUTANTS

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(600)]

ON_KAFKA = ("auto-commit-early", "kafka-no-dedupe", "poison-blocks-partition")
"""Where outages take longer: what loses, doubles, and does not get over poison."""
SLICE = (
    *("ack-first", "no-dedupe", "poison-dropped", "unroutable-ok", "healthy-zombie", "order-broken"),
    *ON_KAFKA,
)
"""One for each promise, and no more: the whole zoo is `atleastonce selftest`, and the thorough run."""
GREEN_SLICE = ("stable-output-id", "batch-acks", "counter")
"""Those which are least like the reference in what can be seen of them from outside."""
SHORTENED = ("no-dedupe", "ack-first")
"""Those of which every step is left out in turn; in the thorough run, all of them."""
REPORTS = tuple(name for name, mutant in MUTANTS.items() if mutant.promise == "replays-identically")
LONG = ("ttl-eats-backlog", "lifo-drain", *REPORTS)
"""Of these dozens of messages wait, or a long log is read twice, which takes longer to shrink than a run is given."""
AVOIDED = ("no-commit-on-revoke", "reads-uncommitted")
"""What is right is delivered nothing twice where these are: their promise has no occasion there."""


@pytest.fixture
def on_database(request):
    """Give a function that puts a PostgreSQL of our own into a contract, where services of it share one."""

    def with_database(contract, stem):
        if stem != reference.SHARED:
            return contract
        return reference.with_database(contract, request.getfixturevalue("postgresql").database("campus"))

    return with_database


@pytest.fixture
def shorter(thorough, atleastonce_lifetime, no_stop, mutant):
    """Give a function that carries out a schedule without each of its steps, and returns what is broken then.

    None where that is not asked of this mutant.
    """
    if mutant in LONG or (mutant not in SHORTENED and not thorough):
        return None

    def breaks(subject, schedule, promise):
        with (
            laid_out(subject.contract, subject.broker, atleastonce_lifetime, no_stop) as site,
            Workshop(site) as workshop,
        ):
            judged = [workshop.carry_out(each) for each in without_one_step(schedule)]
        return [each.history.header.schedule.describe() for each in judged if each.broke(promise)]

    return breaks


@pytest.mark.parametrize("mutant", sliced(MUTANTS, SLICE))
def test_a_mutant_is_broken_by_its_promise(subject, mutant, replays, shorter, on_database, tmp_path):
    """The counterexample has no step too many, replays, and is fixed on the reference; offline all is the same."""
    wrong = MUTANTS[mutant]
    contract = reference.contract(
        tmp_path, wrong.contract, mutant, wrong.module, wrong.instances, wrong.amended
    )
    contract = on_database(contract, wrong.contract)
    # confirmed by the replays below
    plan = Plan(messages=2, explore=wrong.explore, until=wrong.promise, confirm=1, recovery=0)
    plan = replace(plan, shrink_budget=180 if shorter else 20)
    found = subject(contract).verify(plan, histories=tmp_path / "histories").findings
    assert found.tallies[wrong.promise].outcome == "broken", found.tallies
    saved = [each for path in sorted(tmp_path.glob("histories/*")) for each in read(path)]
    (again,) = rejudged((f"line {line}", history) for line, history in saved)
    outcomes = [
        {name: tally.outcome for name, tally in each.tallies.items()} for each in (again.findings, found)
    ]
    assert outcomes[0] == outcomes[1], (again.findings.tallies, found.tallies)
    example = found.counterexample(wrong.promise)
    assert example is not None
    assert [*lines(example.judged.history)] in [[*lines(history)] for _, history in saved]
    schedule = example.judged.history.header.schedule
    if shorter:
        assert shorter(subject(contract), schedule, wrong.promise) == []
    replayed = subject(contract).replay(schedule, times=replays)
    seen = [each.verdicts[wrong.promise].outcome for each in replayed]
    assert seen.count("broken") >= (0.8 if wrong.race else 1.0) * replays, seen
    right = reference.contract(tmp_path, wrong.contract, "right", "", wrong.instances, wrong.amended)
    right = on_database(right, wrong.contract)
    name = next(iter(right.contract.all_services))
    actions = [
        msgspec.structs.replace(action, **{action.verb: name}) if action.target == mutant else action
        for action in schedule.actions
    ]
    traps = [msgspec.structs.replace(trap, service=name) for trap in schedule.traps]
    on_right = msgspec.structs.replace(schedule, actions=tuple(actions), traps=tuple(traps))
    (judged,) = subject(right).replay(on_right)
    if mutant in AVOIDED:
        assert judged.unknown == 0, judged.verdicts
        assert any(each.outcome == "kept" for each in judged.verdicts.values()), judged.verdicts
    else:
        assert judged.verdicts[wrong.promise].outcome == "kept", judged.verdicts[wrong.promise]


@pytest.mark.parametrize("name", sliced(GREEN, GREEN_SLICE))
def test_a_correct_service_is_left_alone(subject, name, tmp_path):
    """However it does it: every promise that has an occasion is kept, and none is unknown."""
    contract = reference.contract(tmp_path, GREEN[name].contract, name, GREEN[name].module)
    found = subject(contract).verify(Plan(messages=1, explore=("duplicates", "crash"))).findings
    assert sum(tally.broken + tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    assert found.tallies["effects-once"].kept > 0


def test_a_budget_stops_the_search_early(subject, campus):
    """What was not carried out is not counted."""
    found = subject(campus("rabbitmq")).verify(Plan(budget=0.5)).findings
    assert found.carried_out < found.planned
