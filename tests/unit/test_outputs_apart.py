"""Outputs of a clean run are there, and have what the contract says to be their id."""

import pytest

from atleastonce.contract import OutputTable
from atleastonce.errors import ContractError
from atleastonce.history import Event, Header, History, Observation, Output
from atleastonce.runner import failures, told_apart
from atleastonce.schedule import Schedule
from atleastonce.standing import sentinels

DECLARED = OutputTable(queues=("out",), id="header:id")


def seen(*ids: str | None) -> Observation:
    """Return outputs with these ids, as a clean run may show them."""
    return Observation(
        observed="faulty", outputs=tuple(Output(queue="out", id=each, body={}) for each in ids)
    )


NOTHING = (
    "output: nothing came out of out in a clean run, for 10 s; "
    "name where the outputs of these messages go, or leave [output] out"
)
NO_ID = (
    "output.id: none of 2 outputs of a clean run, in out, has 'header:id'; "
    "name what makes two of them the same one, or leave it out, so that every output counts"
)


@pytest.mark.parametrize(("ids", "said"), [((), NOTHING), ((None, None), NO_ID)], ids=["no output", "no id"])
def test_a_contract_that_cannot_tell_outputs_is_refused(ids: tuple[str | None, ...], said: str) -> None:
    """Else every repeated output would count as another one, and correct services be accused."""
    with pytest.raises(ContractError) as caught:
        told_apart(DECLARED, seen(*ids))
    assert str(caught.value) == said


def test_a_clean_run_that_is_set_aside_is_told() -> None:
    """The message of the contract is none that the service can handle."""
    aside = Observation(observed="faulty", dead_letters=(Output(queue="dead"), Output(queue="dead")))
    with pytest.raises(ContractError, match="; 2 lie in dead: does the service take them for poison"):
        told_apart(OutputTable(queues=("out",), dead_letters="dead"), aside)


def test_outputs_without_an_id_beside_others_count_each() -> None:
    """A service may have outputs of two kinds, or declare no id at all."""
    told_apart(DECLARED, seen("a", None))
    told_apart(OutputTable(queues=("out",)), seen(None, None))
    told_apart(OutputTable(), seen())


def test_an_output_of_the_sentinel_that_comes_again_is_one() -> None:
    """Under one id; where none is declared, each counts."""
    found = [("sentinel", "x1"), ("sentinel", "x1"), ("m1", "x2"), ("sentinel", "x3")]
    assert sentinels(Output(queue="out", id=key, message=name) for name, key in found) == 2
    assert sentinels(Output(queue="out", message="sentinel") for _ in range(2)) == 2


LOG = "the end of its log:\n    no such queue"


@pytest.mark.parametrize(
    ("event", "note", "why"),
    [
        ("quiet", "after 60.6 s, not settled: m1#1", "not quiet in time: after 60.6 s, not settled: m1#1"),
        ("quiet", f"it ended with exit code 1; {LOG}", "not quiet in time: it ended with exit code 1"),
        ("ready", f"shop was late; raise ready_within or see {LOG}", "shop was late; raise ready_within"),
        ("exit", f"it ended; {LOG}", "exit: it ended"),
        ("response", "", ""),
    ],
)
def test_a_clean_run_that_failed_says_what_was_seen(event: str, note: str, why: str) -> None:
    """In words, and without the log, whose end follows once for all of it."""
    failed = Event(event=event, ok=False, note=note)
    assert failures(History(header=Header(schedule=Schedule()), events=(failed, failed))) == why
