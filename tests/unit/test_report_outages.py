"""Stories of outages, poison, broken links, questions over HTTP and chains, and the curves of what waited."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
from test_report_files import _Page
from test_report_stories import ORDERS, RESERVED, told

from atleastonce.findings import Counterexample, Curve, Findings, Judged, curves
from atleastonce.history import Event, History, Observation, Output, Side
from atleastonce.report import markdown
from atleastonce.report.curves import done, said, sparkline, steepest, svg
from atleastonce.report.narrative import narrative
from atleastonce.report.page import page
from atleastonce.report.telling import of_counterexample, retell
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from atleastonce.verdict import Tally, Verdict

WHEN = datetime(2026, 11, 22, 14, 3, 11)  # noqa: DTZ001 - a report shows the user's own clock
INVENTORY = "inventory"


def own(event: str, service: str = INVENTORY, **fields: Any) -> Event:
    """Return what the runner did to the service, or found."""
    return Event(event=event, service=service, **fields)


def sent(event: str, copy: str | None, service: str = INVENTORY, **fields: Any) -> Event:
    """Return what passed the relay about a copy, or about a message as a whole (``m1``)."""
    side: Side = "broker" if event in {"deliver", "confirm"} else "subject"
    named: dict[str, Any] = {
        "message": (copy or "").partition("#")[0],
        "copy": copy if "#" in (copy or "") else None,
    }
    return Event(event=event, side=side, service=service, link=1, **named, **fields)


def published(*names: str) -> list[Event]:
    """Return our own publications, one copy each."""
    return [Event(event="published", message=name, copy=f"{name}#1") for name in names]


def history(
    events: Sequence[Event], *actions: Action, poisons: tuple[str, ...] = (), **declared: Any
) -> History:
    """Return a history of these actions; the services are those that the events name."""
    names = dict.fromkeys(event.message for event in events if event.message)
    messages = {name: Message(poison=0) if name in poisons else Message() for name in names}
    made = told("rabbitmq", Schedule(messages=messages, actions=actions), list(events), [])
    header = msgspec.structs.replace(
        made.header, declared=declared, contract_text='[[poison]]\nname = "not-json"'
    )
    return msgspec.structs.replace(made, header=header)


def story(promise: str, made: History, *blamed: str) -> list[str]:
    """Return the steps of a history that broke a promise, as text with single spaces."""
    verdict = Verdict(promise=promise, outcome="broken", reason="it is broken", blamed=blamed)
    lines = narrative(retell(made, verdict, {})).splitlines()
    return [" ".join(line.split()) for line in lines[1:]]


def loop() -> History:
    """Return a poison that ends the service at each delivery, until the case is given up."""
    events = published("p1")
    for number in range(12):
        events += [
            sent("deliver", "p1#1", queue=ORDERS, tag=1, redelivered=number > 0),
            own("exit", note="exit code 1"),
            own("start"),
            own("ready", note="after 0.2 s"),
        ]
    note = "p1#1 was delivered 12 times"
    events.append(own("looped", ok=False, message="p1", copy="p1#1", note=note))
    return history(events, *publish("p1"), poisons=("p1",))


def outage(left: int = 0) -> History:
    """Return an outage during which four messages waited, and how many of them still do."""
    depths = [own("depth", service="", queue=ORDERS, size=size) for size in (4, 2, 1, 0) if size >= left]
    names = ("m1", "m2", "m3", "m4")
    events = [own("stop"), *published(*names), depths[0], own("start"), *depths[1:]]
    return history(events, Action(stop=INVENTORY), *publish(*names), Action(start=INVENTORY))


def test_a_loop_is_folded_into_one_line() -> None:
    """Each delivery after the second is only counted, with what it did to the service."""
    assert story("poison-set-aside", loop(), "p1") == [
        "1 publish p1 (poison not-json) allowed: a broker passes on any bytes, whoever wrote them",
        "2 deliver p1 (poison) first delivery",
        "3 exit inventory exit code 1",
        "4 start inventory ready after 0.2 s",
        "5 deliver p1 (poison) redelivered",
        "6 exit inventory exit code 1",
        "7 start inventory ready after 0.2 s",
        "… p1 (poison) delivered 9 more times, inventory ended 9 more times",
        "8 deliver p1 (poison) redelivered",
        "9 exit inventory exit code 1",
        "10 start inventory ready after 0.2 s",
        "11 loop p1 (poison) p1#1 was delivered 12 times; given up ◄ it is never set aside",
        "it is broken",
    ]


def test_what_was_set_aside_is_told_at_the_end() -> None:
    """An innocent is marked twice, a poison where it came back changed."""
    events = [
        *published("m1", "p1"),
        sent("deliver", "m1#1", queue=ORDERS),
        sent("reject", "m1#1", settles=True),
        sent("ack", "p1#1", settles=True),
    ]
    letters = (
        Output(queue="dlq", message="m1"),
        *(Output(queue="dlq", message="p1", changed=("body",)),) * 2,
        Output(queue="dlq"),
    )
    seen = Observation(observed="faulty", dead_letters=letters)
    made = history(events, *publish("m1", "p1"), poisons=("p1",))
    made = msgspec.structs.replace(made, observations=(seen,))
    assert story("poison-set-aside", made, "m1", "p1")[3:] == [
        "4 reject m1 not to come again ◄ no poison, but set aside",
        "5 ack p1 (poison)",
        "6 set aside m1 in dlq, as it was sent ◄ no poison",
        "7 set aside p1 (poison) in dlq, 2 times, changed or lost: body ◄ not as it was sent",
        "8 set aside a message that tells no name in dlq",
        "it is broken",
    ]


def test_an_outage_tells_what_waited_and_what_became_of_it() -> None:
    """The greatest depth, and the last one; the curve is a line below."""
    assert story("backlog-drains", outage(left=1)) == [
        "1 ✂ inventory stopped allowed: a service may be down while messages are accepted",
        "2 publish m1, m2, m3, m4",
        "3 depth inventory_order_placed 4 messages wait",
        "4 start inventory",
        "5 depth inventory_order_placed still 1, 0.0 s later ◄ never drained",
        "it is broken",
        (
            f"depth of inventory_order_placed {sparkline(curves(outage(left=1))[0])} "
            "at most 4 messages, 1 still waited at the end"
        ),
    ]


def test_each_action_names_the_rule_that_allows_it() -> None:
    """Links that are cut together are one fault, whoever is blamed; the last one is where it ended."""
    cuts = [own("cut", link=1), own("closed", link=1), own("cut", link=2)]
    others = [own(each, service="") for each in ("waited", "broker-restarted")]
    events = [own("unrouted", queue="q"), own("rerouted", queue="q"), *others, *cuts]
    assert story("recovers", history(events, Action(wait="31s"))) == [
        (
            "1 ✂ queue q deleted with its bindings "
            "allowed: a queue may be deleted by an operator; an unroutable message is returned"
        ),
        "2 reroute q made again with its bindings",
        "3 ✂ 31s passed allowed: a message may lie for any length of time",
        "4 ✂ broker restarted allowed: a broker may be restarted at any time",
        (
            "5 ✂ every link of inventory cut allowed: a connection may break at any moment; "
            "unacknowledged messages are redelivered ◄ it does not recover from this"
        ),
        "it is broken",
    ]


def test_what_a_trap_cut_is_told_once() -> None:
    """The cut belongs to the trap, which is the last fault."""
    trap = Trap(when="before", event="ack", message="m1", do="cut")
    events = [own("sprung", message="m1", note=trap.describe(), link=1), own("cut", link=1)]
    made = told("rabbitmq", Schedule(messages={"m1": Message()}, traps=(trap,)), events, [])
    assert story("recovers", made) == [
        "1 ✂ link cut before ack(m1) reached the broker ◄ it does not recover from this",
        "it is broken",
    ]


@pytest.mark.parametrize(
    ("said_meanwhile", "marked"),
    [
        ([], ("1 ✂ inventory cut off from the broker, 2 links cut allowed: a network may be parted, and "
             "whole again later ◄ says healthy while cut off")),
        ([503, 200], "3 health inventory answers 200 ◄ says healthy while cut off"),
        ([0], "4 health inventory unhealthy: answers 503 ◄ never healthy again"),
    ],
)  # fmt: skip
def test_a_health_endpoint_is_marked_where_it_does_not_tell(said_meanwhile: list[int], marked: str) -> None:
    """What it said last counts: while the service is cut off, and once it is not."""
    after = 503 if said_meanwhile == [0] else 200
    events = [
        own("isolated", size=2),
        *(own("health", size=size) for size in said_meanwhile),
        own("mended"),
        own("health", size=after),
    ]
    assert [each for each in story("tells-health", history(events)) if "◄" in each] == [marked]


def test_a_question_is_told_before_what_it_brought_about() -> None:
    """A repeat is the same request; the 2xx for what is not on the broker is marked."""
    events = [
        Event(event="asked", message="m1", copy="m1#1", note="no answer: reset"),
        sent("publish", "m1#1", queue=ORDERS),
        Event(event="asked", message="m1", copy="m1#1", size=202),
        Event(event="published", message="m1", copy="m1#1", settles=True),
    ]
    assert story("accepts-honestly", history(events, *publish("m1")), "m1") == [
        "1 ask m1 no answer: reset",
        (
            "2 ask m1 again the same request, answered 202; allowed: what was not answered 2xx may be asked "
            "again ◄ accepted, but not on the broker"
        ),
        "3 publish output of m1 → inventory_order_placed, without confirms",
        "it is broken",
    ]


def test_why_a_request_comes_again_is_told() -> None:
    """Four at the same time, and one behind their answers; every one is the same request."""
    events: list[Event] = []
    for copy in ("m1#1", "m1#2", "m1#3", "m1#4", "m1#5"):
        events.append(Event(event="asked", message="m1", copy=copy, size=200))
        events.append(Event(event="published", message="m1", copy=copy, settles=True))
    told = story("effects-once", history(events, Action(burst="m1"), *publish("m1")), "m1")
    reasons = [line.partition(" m1 ")[2] for line in told[:5]]
    burst = "who clicks twice, or gives up waiting, asks again before there is an answer"
    assert reasons == [
        "answered 200",
        *[f"again the same request, at the same time, answered 200; allowed: {burst}"] * 3,
        (
            "again the same request, answered 200; allowed: an answer may be lost on its way; who has not seen it "
            "asks again"
        ),
    ]


def chain() -> History:
    """Return two instances of a service, the second faster, and a service behind them."""
    at = (("m2", "inventory-2"), ("m1", "inventory-1"))
    events = published("m1", "m2")
    events += [sent("deliver", f"{name}#1", service, queue=ORDERS) for name, service in reversed(at)]
    for name, service in at:
        events.append(sent("publish", name, service, queue=RESERVED))
        events.append(sent("deliver", name, "notification", queue=RESERVED))
    made = history(events, *publish("m1", "m2"), keys={"m1": "u1", "m2": "u1"})
    header = msgspec.structs.replace(made.header, services=(INVENTORY, "notification"))
    return msgspec.structs.replace(made, header=header)


def test_a_chain_says_who_did_what() -> None:
    """Each instance is a participant; the message that overtook another is marked."""
    assert story("keeps-order", chain(), "m2")[:5] == [
        "1 publish m1, m2 → inventory_order_placed",
        "2 inventory-1 deliver m1 first delivery",
        "3 inventory-2 deliver m2 first delivery",
        (
            "4 inventory-2 publish output of m2 → notification_inventory_reserved, without confirms "
            "◄ too early: before m1"
        ),
        "5 notification deliver m2 first delivery",
    ]
    verdict = Verdict(promise="keeps-order", outcome="broken", reason="m2 was first", blamed=("m2",))
    chart = markdown.mermaid(retell(chain(), verdict, {})).splitlines()
    assert chart[3:6] == [
        "    participant service as inventory-1",
        "    participant service2 as inventory-2",
        "    participant service3 as notification",
    ]
    assert chart[-1] == "    broker->>service3: deliver m1<br/>first delivery"


@pytest.mark.parametrize(
    ("gaps", "marked"),
    [
        ([0.05, 0.1], []),
        ([0.05, 0.02], ["4 deliver m1 redelivered ◄ too early: after 0.02 s, promised 0.1 s"]),
        ([0.05, 0.1, 0.1], ["5 deliver m1 redelivered ◄ 4th attempt, 3 promised"]),
    ],
)
def test_attempts_are_marked_that_break_the_schedule(gaps: list[float], marked: list[str]) -> None:
    """Too early, too late, or one too many."""
    times = [1.0 + sum(gaps[:number]) for number in range(len(gaps) + 1)]
    events = [*published("m1"), *(sent("deliver", "m1#1", queue=ORDERS) for _ in times)]
    promised = {"backs-off": {"attempts": 3, "schedule": [0.05, 0.1], "tolerance": 0.01}}
    made = history(events, *publish("m1"), promised=promised)
    timed = [msgspec.structs.replace(e, t=t) for e, t in zip(made.events, [0.0, *times, 9.0], strict=True)]
    made = msgspec.structs.replace(made, events=tuple(timed))
    assert [each for each in story("backs-off", made, "m1") if "◄" in each] == marked


CURVE = Curve("stop s", "q", ((0.0, 0), (1.0, 8), (2.0, 4), (3.0, 0)), ((0.5, "down"), (1.5, "up")))


def test_a_curve_is_a_line_of_blocks() -> None:
    """A depth holds until the next is seen; it drained so long after the service was up."""
    assert said(CURVE) == (
        "depth of q ▁▁▁▁▁▁▁▁▁▁███████████▅▅▅▅▅▅▅▅▅▅▁ at most 8 messages, drained 1.5 s after the start"
    )
    assert curves(outage())[0].moments == ((0.01, "down"), (0.07, "up"))
    assert curves(loop()) == ()


def test_only_the_steepest_curves_are_drawn() -> None:
    """And the same outage only once."""
    low = [Curve(f"stop {number}", "q", ((0.0, 1),)) for number in range(9)]
    findings = Findings(INVENTORY, "rabbitmq", curves=[*low, CURVE, CURVE])
    assert steepest(findings) == [CURVE, *low[:3]]


def test_several_curves_say_what_was_done() -> None:
    """Else four of them look alike in a terminal, where there is no picture of each."""
    one, other = (
        Curve(f"stop shop; publish m1; publish m2; {does} shop", "q", CURVE.points)
        for does in ("start", "forget")
    )
    assert [done(each) for each in (one, other)] == ["stop shop; start shop", "stop shop; forget shop"]


def test_reports_draw_outages_that_were_kept_and_those_that_were_not() -> None:
    """The page has a picture of each, Markdown a line; both name the queue."""
    verdict = Verdict(promise="backlog-drains", outcome="broken", reason="it waits")
    judged = Judged(outage(left=1), {"backlog-drains": verdict})
    broken = Counterexample("backlog-drains", judged, confirmed=3, tried=3, steps_before=9)
    findings = Findings(INVENTORY, "rabbitmq", {"backlog-drains": Tally(broken=1)}, [broken], curves=[CURVE])
    text = page([findings], {}, WHEN, "x")
    read = _Page(text)
    assert (read.open, text.count('<svg class="curve"')) == ([], 2)
    assert f"- `{said(CURVE)}`" in markdown.report([findings], {}, "x")
    assert "at most 4 messages" in narrative(of_counterexample(broken, {}))
    assert "<script" not in svg(Curve("s", "<script>", ((0.0, 1),), ((0.0, "<script>"),)))
