"""A consumer with AMQP transactions: the commit is a crash point, and so is the broker's answer to it."""

import pytest

from atleastonce.campaign import Plan

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/orders.db", WRITES = "{writes}" }}
[broker]
kind = "rabbitmq"
queue_type = "classic"
[input]
queue = "orders"
message = '{{"id": "{{id}}"}}'
[output]
queues = ["receipts"]
id = "message_id"
[observe]
url = "sqlite:///{{data_dir}}/orders.db"
sql = ["SELECT * FROM orders WHERE id = '{{id}}'"]
[promises]
nothing-lost = true
effects-once = true
"""


@pytest.fixture
def atleastonce_provider() -> str:
    """Say which broker is used: one provider is enough."""
    return "native"


@pytest.mark.parametrize(("writes", "outcome"), [("before", "kept"), ("behind", "broken")])
def test_what_is_done_behind_the_commit_is_lost(subject, filled, writes, outcome):
    """Until it is committed, a crash gives everything back; then nothing."""
    plan = Plan(messages=1, explore=("crash",), confirm=1, shrink_budget=5, recovery=0)
    found = subject(filled(CONTRACT, "transacted.py", writes=writes)).verify(plan).findings
    assert found.tallies["nothing-lost"].outcome == outcome, found.tallies
    assert sum(tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    if outcome == "broken":
        example = found.counterexample("nothing-lost")
        (trap,) = example.judged.history.header.schedule.traps
        assert trap.event in ("tx-commit", "tx-commit-ok"), trap.describe()
