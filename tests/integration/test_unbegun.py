"""A service that starts a few times and then no more: what it did before is judged, and the run has its report."""

import sys
from pathlib import Path

import pytest

from atleastonce.campaign import Plan
from atleastonce.errors import ServiceError
from atleastonce.history_file import load

pytestmark = pytest.mark.provider("native")

SCRIPT = Path(__file__).parent / "subjects" / "till.py"
CONTRACT = """
[service]
command = "sh -c 'echo >> {starts}; test $(wc -l < {starts}) -le {times} && exec {python} {script}'"
env = {{ AMQP_URL = "{{amqp_url}}", DATABASE = "{{data_dir}}/till.db", CAREFUL = "yes" }}
reset = "restart"
[broker]
kind = "rabbitmq"
[input]
queue = "in"
message = '{{"id": "{{id}}"}}'
[observe]
url = "sqlite:///{{data_dir}}/till.db"
sql = ["SELECT * FROM orders WHERE id = '{{id}}'"]
[promises]
effects-once = true
"""
CLEAN = 2
"""Starts that clean runs take: the second begins with a restart."""


@pytest.fixture
def starting(subject, tmp_path):
    """Verify a service that starts so often."""

    def verified(times: int):
        path = tmp_path / "atleastonce.toml"
        filled = CONTRACT.format(
            python=sys.executable, script=SCRIPT, starts=tmp_path / "starts", times=times
        )
        path.write_text(filled)
        plan = Plan(explore=("duplicates",), messages=3, lanes=1)
        return subject(path).verify(plan, histories=tmp_path / "histories")

    return verified


def test_what_was_judged_before_is_told(starting):
    """Three that could not be begun are enough to end it."""
    findings = starting(CLEAN + 2).findings
    tally = findings.tallies["effects-once"]
    assert (tally.kept, tally.broken, tally.unknown) == (2, 0, 3)
    assert all("it failed before any fault: " in reason for reason in tally.reasons)
    assert findings.carried_out == tally.kept + tally.unknown < findings.planned


def test_without_a_clean_run_it_is_an_error(starting, tmp_path):
    """Then nothing has ever worked: the contract or the service is wrong. What was seen is kept all the same."""
    kept = tmp_path / "histories" / "lane-1.jsonl"
    with pytest.raises(ServiceError, match=f"(?s)it ended with exit code.*{kept}"):
        starting(CLEAN - 1)
    assert "start" in {event.event for event in load(kept).events}


def test_what_ends_again_and_again_before_anything_is_sent_is_an_error(subject, tmp_path):
    """As one does that fails right behind its subscription: that is told, with the end of its log, once."""
    path = tmp_path / "atleastonce.toml"
    filled = CONTRACT.format(python=sys.executable, script=SCRIPT, starts=tmp_path / "starts", times=99)
    blind = filled[: filled.index("url = ")] + 'command = "false"\n' + filled[filled.index("[promises]") :]
    path.write_text(blind.replace("exec ", "exec timeout 1 "))
    with pytest.raises(ServiceError, match=r"ended by itself \d+ times") as caught:
        subject(path).verify(Plan(explore=("duplicates",), lanes=1))
    assert str(caught.value).count("the end of its log") + str(caught.value).count("The end of its log") == 1
