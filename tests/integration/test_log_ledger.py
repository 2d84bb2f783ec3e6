"""A ledger of a log that publishes its dead letters itself: kept, also by a static member; broken where it errs."""

import pytest

from atleastonce.agreement import RESTLESS
from atleastonce.campaign import Plan

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(240)]

CONTRACT = """
[service]
command = "{python} {script}"
[service.env]
KAFKA_BOOTSTRAP = "{{kafka_bootstrap}}"
GROUP = "{{group}}"
ORDERS = "{{topic:orders}}"
DEAD = "{{topic:dead}}"
DATABASE = "{{data_dir}}/ledger.db"
BUG = "{bug}"
INSTANCE = "{instance}"
[broker]
kind = "kafka"
[topics]
orders = {{ partitions = 4 }}
dead = {{}}
[input]
topic = "orders"
key = "{{id}}"
message = '{{"id": "{{id}}"}}'
[output]
dead_letters = "dead"
[observe]
url = "sqlite:///{{data_dir}}/ledger.db"
sql = ["SELECT * FROM ledger WHERE id = '{{id}}'"]
[promises]
effects-once = true
nothing-lost = true
poison-set-aside = true
"""


@pytest.mark.parametrize(
    ("bug", "instance", "explore", "broken"),
    [
        ("", "", "poison", ()),
        ("", "till-1", "kafka", ()),
        ("late-letter", "", "poison", ("poison-set-aside",)),
        ("latest", "", "kafka", ("nothing-lost",)),
    ],
)
def test_what_is_wrong_is_broken_and_nothing_else(subject, filled, bug, instance, explore, broken):
    """In whichever partition a message lies, and whoever still has a place in the group."""
    path = filled(CONTRACT, "log_ledger.py", bug=bug, instance=instance)
    found = subject(path).verify(Plan(explore=(explore,), messages=2, shrink_budget=5, recovery=0)).findings
    outcomes = {name: tally.outcome for name, tally in found.tallies.items()}
    assert tuple(name for name, outcome in outcomes.items() if outcome == "broken") == broken, found.tallies
    # Who begins at the end loses what comes while partitions are shared out: now and then that is a clean run.
    unclear = {reason for tally in found.tallies.values() for reason in tally.reasons}
    assert not unclear or (bug == "latest" and all(why.startswith(RESTLESS) for why in unclear)), (
        found.tallies
    )
