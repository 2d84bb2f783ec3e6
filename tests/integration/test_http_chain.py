"""A chain over HTTP that nobody here designed: judged without a broker."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from slices import sliced

from atleastonce.campaign import Plan
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load, parse

pytestmark = [pytest.mark.provider("native"), pytest.mark.timeout(300)]

CONTRACT = Path(__file__).parent / "subjects" / "chain.toml"
PLAN = Plan(messages=1, explore=("duplicates", "http", "outage"), shrink_budget=10, recovery=0)
BUGS = {
    "new-key": "effects-once",
    "forgets": "effects-once",
    "amnesia": "effects-once",
    "no-retry": "backs-off",
    "hot": "backs-off",
}
LIKE_OTHERS = {"amnesia", "hot"}
"""Found in the same way as another one, by the same promise."""


@pytest.fixture
def chain() -> Callable[[str], ContractFile]:
    """Give the contract of the chain, with this bug in both services."""

    def contract(bug: str = "") -> ContractFile:
        found = load(CONTRACT)
        text = found.text.replace('BUG = ""', f'BUG = "{bug}"')
        return msgspec.structs.replace(found, text=text, contract=parse(text))

    return contract


def test_correct_chain_is_left_alone(subject, chain):
    """Refused, cut, answered too late, killed at every moment: every promise is kept, and none unknown."""
    found = subject(chain()).verify(PLAN).findings
    assert {name: tally.outcome for name, tally in found.tallies.items()} == dict.fromkeys(
        found.tallies, "kept"
    )
    assert sum(tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    assert found.tallies["backs-off"].kept > 3


@pytest.mark.parametrize("status", [409, 422])
def test_who_calls_a_repetition_a_mistake_is_right_too(subject, chain, status):
    """What is known already was accepted, or its answer was lost: nothing is broken, and none is unknown."""
    given = chain()
    text = given.text.replace('AGAIN = ""', f'AGAIN = "{status}"')
    found = subject(msgspec.structs.replace(given, text=text, contract=parse(text))).verify(PLAN).findings
    tallies = found.tallies
    assert {name: tally.broken + tally.unknown for name, tally in tallies.items()} == dict.fromkeys(
        tallies, 0
    )
    assert tallies["effects-once"].kept > 10


def test_requests_at_the_same_time_are_tried(subject, chain):
    """A depot that is right about one request after the other: who does not wait gets two pieces, 8 of 10 times."""
    found = (
        subject(chain("races"))
        .verify(Plan(messages=2, explore=("duplicates",), confirm=1, recovery=0))
        .findings
    )
    example = found.counterexample("effects-once")
    assert example is not None, found.tallies
    schedule = example.judged.history.header.schedule
    assert [action.verb for action in schedule.actions] == ["burst"]
    replayed = subject(chain("races")).replay(schedule, times=10)
    assert sum(each.broke("effects-once") for each in replayed) >= 8
    (right,) = subject(chain()).replay(schedule)
    assert right.verdicts["effects-once"].outcome == "kept"


@pytest.mark.parametrize("bug", sliced(BUGS, BUGS.keys() - LIKE_OTHERS))
def test_bug_is_found_and_can_be_replayed(subject, chain, bug):
    """By the promise that it breaks, in few steps, and not without the bug."""
    promise = BUGS[bug]
    plan = replace(PLAN, until=promise, confirm=1)
    found = subject(chain(bug)).verify(plan).findings
    example = found.counterexample(promise)
    assert example is not None, found.tallies
    schedule = example.judged.history.header.schedule
    assert schedule.steps <= 4
    replayed = subject(chain(bug)).replay(schedule, times=3)
    assert [each.verdicts[promise].outcome for each in replayed] == ["broken"] * 3
    (right,) = subject(chain()).replay(schedule)
    assert right.verdicts[promise].outcome == "kept"
