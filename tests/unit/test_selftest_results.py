"""What a selftest says of what it tried."""

from typing import Any

import pytest

from atleastonce.commands.selftest_results import Tried, few_unknown, result
from atleastonce.commands.selftest_subjects import Subject
from atleastonce.findings import Findings
from atleastonce.verdict import Tally

PROMISES = ("effects-once", "nothing-lost")


def once(outcome: str) -> Tally:
    """Return a single verdict, counted."""
    counts: dict[str, Any] = {outcome: 1}
    return Tally(**counts)


def tried(breaks: str, failed: str = "", **outcomes: str) -> Tried:
    """Return a service that was tried, with one verdict on each promise."""
    tallies = {name: once(outcomes.get(name[:4], "kept")) for name in PROMISES}
    findings = Findings("shop", "rabbitmq", {} if failed else tallies)
    subject = Subject(
        name="shop", stem="rabbitmq", module="shop", promise=breaks, kinds=("rabbitmq",), explore=()
    )
    return Tried(subject, findings, 1.0, failed)


@pytest.mark.parametrize("breaks", ["", "nothing-lost"])
def test_who_could_not_be_tried_is_not_as_it_should_be(breaks):
    """Neither a mutant that was not caught, nor a correct service that was left alone."""
    found = tried(breaks, failed="a clean run failed")
    assert (found.verdict, found.as_it_should_be, found.also, found.steps) == ("unknown", False, [], None)


@pytest.mark.parametrize(
    ("breaks", "seen", "so"),
    [
        ("", {}, True),
        ("", {"noth": "broken"}, False),
        ("nothing-lost", {"noth": "broken"}, True),
        ("nothing-lost", {"effe": "broken"}, False),
        ("nothing-lost", {"noth": "unknown"}, False),
    ],
)
def test_a_mutant_is_caught_by_its_promise_and_nothing_else_by_any(breaks, seen, so):
    """Another promise may be broken, too; that catches nobody."""
    assert tried(breaks, **seen).as_it_should_be is so


def test_verdicts_are_counted_on_correct_services():
    """A false alarm and an unknown among the four verdicts on two of them; a mutant's are not among them."""
    found = result(
        [tried("", noth="broken"), tried("", effe="unknown"), tried("nothing-lost", noth="broken")]
    )
    assert (found["verdicts"], found["false_alarms"], found["unknown"]) == (4, 1, 1)
    assert found["mutants"]["shop"]["verdict"] == "broken"
    assert not few_unknown(found)
