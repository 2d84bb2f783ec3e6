"""A service that answers nothing is judged by what lies in its database, and by what a command prints."""

import sys
from pathlib import Path

import pytest

from atleastonce.campaign import Plan

SCRIPT = Path(__file__).parent / "subjects" / "till.py"
CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/till.db", CAREFUL = "{careful}" }}
[broker]
kind = "rabbitmq"
[input]
queue = "in"
message = '{{"id": "{{id}}"}}'
[observe]
url = "sqlite:///{{data_dir}}/till.db"
sql = ["SELECT * FROM orders WHERE id = '{{id}}'", "SELECT total FROM till"]
command = "{python} {script} show {{data_dir}}/till.db {{id}}"
[promises]
effects-once = true
nothing-lost = true
"""


@pytest.fixture
def atleastonce_provider() -> str:
    """Say which broker is used: one provider is enough."""
    return "native"


@pytest.mark.parametrize(("careful", "outcome"), [("yes", "kept"), ("no", "broken")])
def test_queries_and_a_command_show_the_effects(subject, tmp_path, careful, outcome):
    """The sum of a till is a number among rows; what is counted twice shows there."""
    path = tmp_path / "atleastonce.toml"
    path.write_text(CONTRACT.format(python=sys.executable, script=SCRIPT, careful=careful))
    found = subject(path).verify(Plan(explore=("duplicates",), messages=2, shrink_budget=5)).findings
    assert found.tallies["effects-once"].outcome == outcome, found.tallies
    assert found.tallies["nothing-lost"].broken + found.tallies["nothing-lost"].unknown == 0, found.tallies
