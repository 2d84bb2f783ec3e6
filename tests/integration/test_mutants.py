"""Each mutant is broken by its primary promise, and its counterexample can be replayed."""

import pytest

from atleastonce.campaign import Plan
from campus_food.mutants import MUTANTS

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_broken_by_its_promise(subject, campus, name, replays):
    """The counterexample has at most three steps, replays every time, and is fixed on the reference."""
    module, promise, broker = MUTANTS[name]
    found = subject(campus(broker, module)).verify(Plan(messages=2)).findings
    assert found.tallies[promise].outcome == "broken"
    assert [t.outcome for p, t in found.tallies.items() if p != promise] == ["kept"]
    example = found.counterexample(promise)
    assert example is not None
    assert (example.confirmed, example.tried) == (3, 3)
    schedule = example.judged.history.header.schedule
    assert schedule.steps <= 3
    replayed = subject(campus(broker, module)).replay(schedule, times=replays)
    assert [each.verdicts[promise].outcome for each in replayed] == ["broken"] * replays
    on_reference = subject(campus(broker)).replay(schedule)
    assert [each.verdicts[promise].outcome for each in on_reference] == ["kept"]


def test_a_budget_stops_the_search_early(subject, campus):
    """What was not carried out is not counted."""
    found = subject(campus("rabbitmq")).verify(Plan(budget=0.5)).findings
    assert found.carried_out < found.planned == 30
