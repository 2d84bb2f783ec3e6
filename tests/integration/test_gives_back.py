"""A correct service that, behind a fault, gives messages back until it can handle them: it is waited for."""

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/orders.db" }}
[broker]
kind = "rabbitmq"
[input]
queue = "orders"
message = "{{id}}"
[observe]
url = "sqlite:///{{data_dir}}/orders.db"
sql = ["SELECT * FROM orders WHERE id = '{{id}}'"]
[promises]
effects-once = true
nothing-lost = true
recovers = true
"""


def test_what_is_given_back_for_a_while_is_no_loop(subject, filled):
    """Three hundred deliveries take a fraction of a second: the deadline of `recovers` judges, and not their number."""
    found = subject(filled(CONTRACT, "gives_back.py")).verify(Plan(explore=("crash",), messages=1)).findings
    kept = dict.fromkeys(("effects-once", "nothing-lost", "recovers"), "kept")
    assert {name: tally.outcome for name, tally in found.tallies.items()} == kept, found.tallies
