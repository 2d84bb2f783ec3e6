"""However a correct service counts its attempts on a poison: a crash may make it begin anew, and nobody is accused."""

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/ledger.db", WAY = "{way}" }}
[broker]
kind = "rabbitmq"
[input]
queue = "in"
message = '{{"id": "{{id}}"}}'
[output]
dead_letters = "dead"
[observe]
url = "sqlite:///{{data_dir}}/ledger.db"
sql = ["SELECT * FROM ledger WHERE id = '{{id}}'"]
[promises]
effects-once = true
nothing-lost = true
poison-set-aside = {{ attempts = 3 }}
"""


@pytest.mark.parametrize("way", ["memory", "copies", "wrapped"])
def test_every_way_to_try_again_is_kept(subject, filled, way):
    """Killed at each step by which it tries again, or sets aside: all attempts may come once more."""
    path = filled(CONTRACT, "tries.py", way=way)
    found = subject(path).verify(Plan(explore=("poison",), messages=2, shrink_budget=5)).findings
    assert sum(tally.broken + tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    assert found.tallies["poison-set-aside"].kept > 8
