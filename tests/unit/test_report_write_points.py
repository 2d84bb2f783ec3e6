"""A write point is told with the system call as it was seen; one that could not be explored, with the reason."""

import pytest

from atleastonce.checks import judge
from atleastonce.findings import Findings
from atleastonce.history import Event, History
from atleastonce.report.markdown import mermaid, report
from atleastonce.report.rows import NO_OCCASION, rows
from atleastonce.report.story import Story
from atleastonce.report.telling import retell
from atleastonce.schedule import Action, Trap, publish
from atleastonce.verdict import Tally
from histories import history, seen

POINT = Trap(event="write", nth=2, during="m1", service="shop", do="kill")
RULES = {"kill": "a process may die at any moment"}
ONE = seen({"/stock": 9})
WHY = "--explore writes was left out: the system calls of the service cannot be traced: found Linux on pdp11"


def killed(*threads: int) -> History:
    """Return a history in which the shop dies at its second call; each call is by a thread of that number."""
    given = history(
        "published m1#1; deliver m1#1 *shop; kill *shop; start *shop; deliver m1#1 *shop again; ack m1#1 *shop; "
        "canary; quiet",
        ONE,
        seen({"/stock": 10}),
        before={"/stock": 10},
        traps=(POINT,),
        actions=(*publish("m1"), Action(start="shop")),
    )
    calls = [
        Event(
            event="write",
            side="subject",
            service="shop",
            message="m1",
            size=n,
            tag=thread,
            note=f"write(f{n})",
        )
        for n, thread in enumerate(threads, start=1)
    ]
    sprung = Event(event="sprung", service="shop", message="m1", note=POINT.describe())
    events = (*given.events[:2], *calls, sprung, *given.events[2:])
    return History(header=given.header, events=events, observations=given.observations)


def told(given: History) -> Story:
    """Retell it as a counterexample to nothing-lost."""
    verdict = judge(given, "nothing-lost")
    assert verdict.outcome == "broken", verdict
    return retell(given, verdict, RULES)


@pytest.mark.parametrize(
    ("threads", "call"),
    [((1, 1), "write(f2)"), ((1, 2, 1), "write(f2), by the second of 2 threads that write"), ((), "")],
)
def test_the_call_is_told_as_it_was_seen(threads: tuple[int, ...], call: str) -> None:
    """With its thread, where several write; calls that were made are no steps of the story."""
    (fault,) = (step for step in told(killed(*threads)).steps if step.kind == "fault")
    said = "service killed at its second write while m1 was handled"
    assert fault.what == (f"{said}: {call}" if call else said)
    assert (fault.source, fault.target, fault.lost) == ("service", "service", "")
    assert fault.remark == "allowed: a process may die at any moment"


def test_a_write_point_is_drawn_over_all_lanes() -> None:
    """It has no arrow: nothing passed between service and broker."""
    assert (
        "    Note over runner,service: ✂ service killed at its second write while m1 was handled: write(f2)"
        "<br/>allowed: a process may die at any moment"
    ) in mermaid(told(killed(1, 1))).splitlines()


def test_what_was_left_out_is_said_once_and_is_the_reason() -> None:
    """A promise that so had no occasion is unknown because of it."""
    tallies = {"nothing-lost": Tally(), "effects-once": Tally(kept=3)}
    findings = Findings(service="shop", broker="rabbitmq", tallies=tallies, left_out=WHY)
    assert [(row.verdict, row.reason) for row in rows([findings])] == [
        ("unknown", f"{NO_OCCASION}; {WHY}"),
        ("kept", "kept on 3 schedules that gave an occasion"),
    ]
    assert f"- {WHY}\n" in report([findings], RULES, "home") + "\n"
