"""What a service gets without acknowledging it, or from a queue of its own, is lost with a link: no more is said."""

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")

CONTRACT = """
[service]
command = "{python} {script} MODE"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/readings.db" }}
[broker]
kind = "rabbitmq"
[input]
exchange = "readings"
message = "{{id}}"
[observe]
settles = "1s"
url = "sqlite:///{{data_dir}}/readings.db"
sql = ["SELECT * FROM readings WHERE id = '{{id}}'"]
[promises]
nothing-lost = true
recovers = true
"""


@pytest.mark.parametrize("mode", ["auto", "own"])
def test_what_goes_with_a_link_is_lost_and_the_service_recovers(subject, filled, mode):
    """What comes once it has subscribed again takes effect: it is not accused of what went with the old link."""
    path = filled(CONTRACT.replace("MODE", mode), "telemetry.py")
    found = subject(path).verify(Plan(explore=("crash",), messages=1, shrink_budget=5)).findings
    assert {name: tally.outcome for name, tally in found.tallies.items()} == {
        "nothing-lost": "broken",
        "recovers": "kept",
    }, found.tallies
    assert found.tallies["recovers"].unknown == 0, found.tallies["recovers"]
