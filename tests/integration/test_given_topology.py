"""A topology that somebody else has declared: what waits in it for a while is neither lost nor dealt with."""

import json

import pytest

from atleastonce.campaign import Plan

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(300)]

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/parcels.db", WAY = "{way}" }}
[broker]
kind = "rabbitmq"
definitions = "definitions.json"
[input]
queue = "parcels"
message = "{{id}};a book"
[output]
dead_letters = "parcels.dead"
[[poison]]
name = "empty"
body = "{{id}};"
[observe]
url = "sqlite:///{{data_dir}}/parcels.db"
sql = ["SELECT * FROM parcels WHERE id = '{{id}}'"]
[promises]
nothing-lost = true
poison-set-aside = {{ attempts = 3 }}
"""
BACK = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "parcels"}
AWAY = {"x-dead-letter-exchange": "later", "x-dead-letter-routing-key": "parcels"}


def definitions(way: str) -> str:
    """Return the topology: a delay of 1.5 s by a policy, where it is not each message that says how long it waits."""
    queue = {"vhost": "/", "durable": True, "auto_delete": False}
    policy = {"vhost": "/", "name": "delay", "pattern": "^later$", "definition": {"message-ttl": 1500}}
    binding = {"vhost": "/", "source": "later", "destination": "later", "destination_type": "queue"}
    exchange = {"vhost": "/", "name": "later", "type": "direct", "internal": False}
    return json.dumps(
        {
            "queues": [
                {**queue, "name": "parcels", "arguments": AWAY if way == "nack" else {}},
                {**queue, "name": "parcels.dead", "arguments": {}},
                {**queue, "name": "later", "arguments": BACK},
            ],
            "exchanges": [{**exchange, "durable": True, "auto_delete": False, "arguments": {}}],
            "bindings": [{**binding, "routing_key": "parcels", "arguments": {}}],
            "policies": [] if way == "message" else [policy],
        }
    )


@pytest.mark.parametrize("way", ["exchange", "message", "nack", "lost"])
def test_a_delay_is_waited_for(subject, filled, tmp_path, way):
    """However a parcel gets into the queue where it waits; one that gets nowhere is found missing all the same."""
    (tmp_path / "definitions.json").write_text(definitions(way))
    path = filled(CONTRACT, "later.py", way=way)
    plan = Plan(messages=2, explore=("duplicates", "poison"), shrink_budget=5, confirm=1, recovery=0)
    found = subject(path).verify(plan).findings
    expected = "broken" if way == "lost" else "kept"
    outcomes = {name: tally.outcome for name, tally in found.tallies.items()}
    assert outcomes == {"nothing-lost": "kept", "poison-set-aside": expected}, found.tallies
