"""A service that answers nothing is judged by what lies in its database, and by what a command prints."""

import sys
from pathlib import Path

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")

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
sql = [{queries}]
{command}
[promises]
effects-once = true
nothing-lost = true
"""


def observing(folder: Path, careful: str, *queries: str, command: str = "") -> Path:
    """Write a contract that observes these queries and what a command prints."""
    path = folder / "atleastonce.toml"
    filled = CONTRACT.format(
        python=sys.executable,
        script=SCRIPT,
        careful=careful,
        queries=", ".join(f'"{query}"' for query in queries),
        command=f'command = "{command}"' if command else "",
    )
    path.write_text(filled)
    return path


@pytest.mark.parametrize(("careful", "outcome"), [("yes", "kept"), ("no", "broken")])
def test_queries_and_a_command_show_the_effects(subject, tmp_path, careful, outcome):
    """The sum of a till is a number among rows; what is counted twice shows there."""
    path = observing(
        tmp_path,
        careful,
        "SELECT * FROM orders WHERE id = '{id}'",
        "SELECT total FROM till",
        command=f"{sys.executable} {SCRIPT} show {{data_dir}}/till.db {{id}}",
    )
    found = subject(path).verify(Plan(explore=("duplicates",), messages=2, shrink_budget=5)).findings
    assert found.tallies["effects-once"].outcome == outcome, found.tallies
    assert found.tallies["nothing-lost"].broken + found.tallies["nothing-lost"].unknown == 0, found.tallies
    assert found.remarks == ()


@pytest.mark.parametrize(("careful", "outcome"), [("yes", "kept"), ("no", "broken")])
def test_rows_that_the_first_message_makes_can_be_judged(subject, tmp_path, careful, outcome):
    """On a fresh database there is no row to count up, in whichever lane; and what nobody changes is told."""
    path = observing(
        tmp_path, careful, "SELECT * FROM sold", "SELECT SUM(total) FROM orders", "SELECT * FROM refused"
    )
    plan = Plan(explore=("duplicates", "crash"), messages=2, shrink_budget=5)
    found = subject(path).verify(plan).findings
    assert found.tallies["effects-once"].outcome == outcome, found.tallies
    assert found.tallies["effects-once"].unknown == 0, found.tallies
    assert found.tallies["nothing-lost"].broken + found.tallies["nothing-lost"].unknown == 0, found.tallies
    assert [each.partition(":")[0] for each in found.remarks] == [
        "no clean run changed anything at SELECT * FROM refused"
    ]
