"""A single service over HTTP, without a broker: the client's answer is lost, or the service dies before it is given."""

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.timeout(180)

CONTRACT = """
[service]
command = "{python} {script}"
env = {{ PORT = "{{port}}", DATABASE = "{{data_dir}}/payments.db", FAULT = "{fault}" }}
[input]
http = "POST http://127.0.0.1:{{port}}/pay"
message = '{{"id": "{{id}}"}}'
[observe]
http = ["http://127.0.0.1:{{port}}/paid/{{id}}"]
[promises]
nothing-lost = true
effects-once = true
accepts-honestly = true
"""


@pytest.fixture
def atleastonce_provider() -> str:
    """Say which broker is used: none is."""
    return "native"


@pytest.mark.parametrize(
    ("fault", "explore", "promises"),
    [
        ("", "http", ()),
        ("memory", "http", ("effects-once", "accepts-honestly")),
        ("answer-first", "http", ("nothing-lost", "accepts-honestly")),
        ("", "writes", ()),
        ("mark-first", "writes", ("nothing-lost", "accepts-honestly")),
    ],
)
def test_it_is_struck_on_the_way_in(subject, filled, fault, explore, promises):
    """What is remembered in memory only is done twice; what is answered, or marked, before it is done gets lost."""
    plan = Plan(explore=(explore,), messages=1, shrink_budget=5, recovery=0)
    found = subject(filled(CONTRACT, "payments.py", fault=fault)).verify(plan).findings
    outcomes = {name: tally.outcome for name, tally in found.tallies.items()}
    assert found.tallies["nothing-lost"].unknown == 0, found.tallies
    assert outcomes == {
        name: "broken" if name in promises else "kept"
        for name in ("nothing-lost", "effects-once", "accepts-honestly")
    }, found.tallies
