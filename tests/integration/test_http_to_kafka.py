"""What comes in over HTTP and goes out to Kafka: nothing is published to a topic, and none is read by the service."""

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")

CONTRACT = """
[service]
command = "{python} {script}"
[service.env]
PORT = "{{port}}"
DATABASE = "{{data_dir}}/placed.db"
BOOTSTRAP = "{{kafka_bootstrap}}"
TOPIC = "{{topic:placed}}"
FAULT = "{fault}"
[broker]
kind = "kafka"
[topics]
placed = {{ partitions = 2 }}
[input]
http = "POST http://127.0.0.1:{{port}}/order"
message = '{{"id": "{{id}}"}}'
[output]
topics = ["placed"]
id = "key"
[promises]
nothing-lost = true
effects-once = true
accepts-honestly = true
"""


@pytest.mark.parametrize(("fault", "outcome"), [("", "kept"), ("sent-first", "broken")])
def test_an_outbox_tells_kafka(subject, filled, fault, outcome):
    """All that is explored by default; where the note comes before the record, a crash between them loses it."""
    plan = Plan(messages=1, shrink_budget=5, recovery=0)
    tallies = subject(filled(CONTRACT, "placed.py", fault=fault)).verify(plan).findings.tallies
    assert tallies["nothing-lost"].outcome == outcome, tallies
    assert tallies["effects-once"].outcome == "kept", tallies
    assert sum(tally.unknown for tally in tallies.values()) == 0, tallies
