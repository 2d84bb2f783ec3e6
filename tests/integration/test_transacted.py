"""A consumer with AMQP transactions: the commit is a crash point, and so is the broker's answer to it."""

import pytest
from receipts import CONTRACT

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")


@pytest.mark.parametrize(("writes", "outcome"), [("before", "kept"), ("behind", "broken")])
def test_what_is_done_behind_the_commit_is_lost(subject, filled, writes, outcome):
    """Until it is committed, a crash gives everything back; then nothing."""
    plan = Plan(messages=1, explore=("crash",), confirm=1, shrink_budget=5, recovery=0)
    found = subject(filled(CONTRACT, "transacted.py", setting="WRITES", value=writes)).verify(plan).findings
    assert found.tallies["nothing-lost"].outcome == outcome, found.tallies
    assert sum(tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    if outcome == "broken":
        example = found.counterexample("nothing-lost")
        (trap,) = example.judged.history.header.schedule.traps
        assert trap.event in ("tx-commit", "tx-commit-ok"), trap.describe()
