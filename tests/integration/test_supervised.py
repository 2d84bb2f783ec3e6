"""A service whose worker has a session of its own, as under many supervisors: a SIGKILL is the worker's end too."""

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/orders.db", ACKS = "{acks}" }}
[broker]
kind = "rabbitmq"
[input]
queue = "orders"
message = '{{"id": "{{id}}"}}'
[observe]
url = "sqlite:///{{data_dir}}/orders.db"
sql = ["SELECT * FROM orders WHERE id = '{{id}}'"]
[promises]
nothing-lost = true
effects-once = true
"""


@pytest.mark.parametrize(("acks", "outcome"), [("last", "kept"), ("first", "broken")])
def test_a_kill_reaches_the_worker(subject, filled, acks, outcome):
    """Left alone, it would finish what it had acknowledged, and nothing would be lost."""
    plan = Plan(explore=("crash",), messages=1, confirm=1, shrink_budget=5, recovery=0)
    found = subject(filled(CONTRACT, "supervised.py", acks=acks)).verify(plan).findings
    assert found.tallies["nothing-lost"].outcome == outcome, found.tallies
    assert sum(tally.unknown for tally in found.tallies.values()) == 0, found.tallies
