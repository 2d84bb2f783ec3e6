"""A single service over HTTP, without a broker: the client's answer is lost, or the service dies before it is given."""

import pytest

from atleastonce.campaign import Plan

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(180)]

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ PORT = "{{port}}", DATABASE = "{{data_dir}}/payments.db", FAULT = "{fault}" }}
[input]
http = "{way}"
message = '{message}'
[observe]
http = ["http://127.0.0.1:{{port}}/paid/{{id}}"]
[promises]
nothing-lost = true
effects-once = true
accepts-honestly = true
"""
POST = ("POST http://127.0.0.1:{port}/pay", '{"id": "{id}"}')
PUT = ("PUT http://127.0.0.1:{port}/paid/{id}", '{"by": "card"}')


@pytest.mark.parametrize(
    ("asked", "fault", "explore", "promises"),
    [
        (POST, "", "http", ()),
        (PUT, "", "http", ()),
        (PUT, "memory", "http", ("effects-once", "accepts-honestly")),
        (POST, "answer-first", "http", ("nothing-lost", "accepts-honestly")),
        (POST, "mark-and-wait", "http", ("nothing-lost", "accepts-honestly")),
        (POST, "", "writes", ()),
        (POST, "mark-first", "writes", ("nothing-lost", "accepts-honestly")),
    ],
)
def test_it_is_struck_on_the_way_in(subject, filled, asked, fault, explore, promises):
    """What is remembered in memory only is done twice; what is answered, or marked, before it is done gets lost."""
    plan = Plan(explore=(explore,), messages=1, shrink_budget=5, recovery=0)
    way, message = asked
    contract = filled(CONTRACT, "payments.py", fault=fault, way=way, message=message)
    found = subject(contract).verify(plan).findings
    outcomes = {name: tally.outcome for name, tally in found.tallies.items()}
    assert found.tallies["nothing-lost"].unknown == 0, found.tallies
    assert outcomes == {
        name: "broken" if name in promises else "kept"
        for name in ("nothing-lost", "effects-once", "accepts-honestly")
    }, found.tallies


@pytest.mark.parametrize(("fault", "outcome"), [("", "kept"), ("forgets", "broken"), ("few", "broken")])
def test_what_is_not_known_for_long_is_done_again(subject, filled, fault, outcome):
    """A copy at once shows nothing; one some seconds later does, or one behind more than ten others."""
    way, message = POST
    contract = filled(CONTRACT, "payments.py", fault=fault, way=way, message=message)
    plan = Plan(explore=("duplicates",), messages=1, confirm=1, shrink_budget=10)
    found = subject(contract).verify(plan).findings
    assert found.tallies["effects-once"].outcome == outcome, found.tallies
    for each in found.counterexamples:
        actions = [step.describe() for step in each.judged.history.header.schedule.actions]
        assert actions == ["publish m1", "wait 6s", "publish m1"] if fault == "forgets" else len(actions) > 11
