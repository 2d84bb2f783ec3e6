"""A correct service of an unusual kind keeps its promises: two queues behind one exchange, lines of two kinds."""

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
exchange = "orders"
routing_key = "order.{{n}}"
messages = ["{{id}};burger;1", "{{id}};pizza;2"]
[output]
dead_letters = "dead"
[observe]
url = "sqlite:///{{data_dir}}/orders.db"
sql = ["SELECT * FROM ledger WHERE id = '{{id}}'", "SELECT * FROM audit WHERE id = '{{id}}'"]
[promises]
effects-once = true
nothing-lost = true
poison-set-aside = true
backlog-drains = true
"""


def test_two_queues_and_two_kinds_of_lines_are_kept(subject, filled):
    """One copy in two queues is no duplicate, and m1 is a burger in the backlog, too."""
    path = filled(CONTRACT, "two_queues.py")
    found = subject(path).verify(Plan(explore=("duplicates", "poison", "outage"), shrink_budget=5)).findings
    assert {name: tally.outcome for name, tally in found.tallies.items()} == dict.fromkeys(
        ("effects-once", "nothing-lost", "poison-set-aside", "backlog-drains"), "kept"
    ), found.tallies
