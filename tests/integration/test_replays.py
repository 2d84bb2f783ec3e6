"""replays-identically on a live broker: a report that is made again, with one thing varied at a time."""

from pathlib import Path

import pytest

from atleastonce.casting import cast_list
from atleastonce.commands import reference
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load
from atleastonce.schedule import Action, Schedule, publish

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(180)]

SUBJECTS = Path(__file__).with_name("subjects")


def schedule(contract: ContractFile, way: str, number: int = 3) -> Schedule:
    """Return a log of so many events, and a reading more of it."""
    messages = cast_list(contract.contract, number)
    return Schedule(messages=messages, actions=(*publish(*messages), Action(replay=way)))


@pytest.mark.parametrize("way", ["clock", "partitions"])
def test_the_report_of_analytics_is_made_again(subject, tmp_path, way):
    """Whatever its clock says, and in whatever order the partitions come."""
    contract = reference.contract(tmp_path, "analytics", "analytics")
    (judged,) = subject(contract).replay(schedule(contract, way))
    verdict = judged.verdicts["replays-identically"]
    assert (verdict.outcome, verdict.reason.rpartition(", ")[2]) == (
        "kept",
        "the report of 3 events is byte-identical",
    )


def test_the_minute_that_differs_is_named(subject, tmp_path):
    """Of a service that counts by the clock on the wall: the event, the minute, and both values."""
    module = "campus_food.mutants.wall_clock_window"
    contract = reference.contract(tmp_path, "analytics", "wall-clock-window", module)
    (judged,) = subject(contract).replay(schedule(contract, "clock", 1))
    verdict = judged.verdicts["replays-identically"]
    assert (verdict.outcome, verdict.blamed) == ("broken", ("m1",)), verdict
    assert verdict.evidence[0].startswith("first differs after event 1 of 1, m1#1: ")
    assert any(
        "orders_by_minute" in line and "1 first, nothing when read again" in line for line in verdict.evidence
    )


def test_a_service_that_commits_its_offsets_is_judged_too(subject):
    """Record by record, and in another order of partitions."""
    contract = load(SUBJECTS / "counting.toml")
    (judged,) = subject(contract).replay(schedule(contract, "batches"))
    assert judged.verdicts["replays-identically"].outcome == "kept"
