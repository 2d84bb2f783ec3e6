"""Stories: histories made by hand, on both brokers, retold as a person reads them."""

from itertools import count
from typing import Any

import msgspec

from atleastonce.checks import judge
from atleastonce.findings import Counterexample, Judged
from atleastonce.history import Event, Header, History, Observation, Output
from atleastonce.report.narrative import narrative
from atleastonce.report.telling import of_counterexample, of_failure, retell
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from atleastonce.verdict import Verdict

RULES = {
    "cut": "unacknowledged messages are redelivered",
    "kill": "a process may die at any moment",
}
RESERVED = "notification_inventory_reserved"
ORDERS = "inventory_order_placed"
FIRST_ID, SECOND_ID = "71c0aa00-0000-4000-8000-000000000001", "e2f4aa00-0000-4000-8000-000000000002"


def reserved(identity: str, queue: str = RESERVED, message: str = "m1") -> Output:
    """Return what the inventory service puts out."""
    return Output(queue=queue, id=identity, message=message, body={"order_id": f"<{message}.id>"})


def seen(moment: Any, burger: int, *outputs: Output) -> Observation:
    """Return what was observed; a clean one holds changes instead of numbers."""
    stock: Any = (
        {"/stock $.burger": {"by": burger}} if moment.startswith("clean") else {"/stock": {"burger": burger}}
    )
    return Observation(observed=moment, values=stock, outputs=outputs)


def told(broker: str, schedule: Schedule, events: list[Event], observations: list[Observation]) -> History:
    """Return a history in which every event has its own time, quiet at the end."""
    clock = count(1)
    timed = [msgspec.structs.replace(event, t=next(clock) / 100) for event in (*events, Event(event="quiet"))]
    return History(
        header=Header(
            schedule=schedule,
            broker=broker,
            services=("inventory",),
            settings={"provider": "native", "version": "3.10.8"},
            declared={"ends": [RESERVED, "events"]},
        ),
        events=tuple(timed),
        observations=tuple(observations),
    )


def subject(event: str, **fields: Any) -> Event:
    """Return what the service sent about m1."""
    return Event(event=event, side="subject", service="inventory", **{"message": "m1", "link": 1, **fields})


def broker(event: str, **fields: Any) -> Event:
    """Return what the broker sent about m1."""
    return Event(event=event, side="broker", service="inventory", **{"message": "m1", "link": 1, **fields})


def rabbitmq_cut() -> History:
    """Return the counterexample of DESIGN: no inbox, the link cut before the ack."""
    trap = Trap(when="before", event="ack", message="m1", service="inventory", do="cut")
    schedule = Schedule(messages={"m1": Message(id="o1")}, actions=publish("m1"), traps=(trap,))
    events = [
        broker("deliver", copy="m1#1", queue=ORDERS, tag=1),
        Event(event="published", message="m1", copy="m1#1"),
        subject("publish", queue=RESERVED, tag=1),
        broker("confirm", queue=RESERVED, tag=1),
        Event(event="sprung", message="m1", service="inventory", note=trap.describe(), link=1),
        Event(event="cut", service="inventory", link=1),
        Event(event="closed", service="inventory", link=1),
        Event(event="open", service="inventory", link=2),
        broker("deliver", copy="m1#1", queue=ORDERS, tag=1, link=2, redelivered=True),
        subject("publish", queue=RESERVED, tag=1, link=2),
        broker("confirm", queue=RESERVED, tag=1, link=2),
        subject("ack", copy="m1#1", queue=ORDERS, tag=1, link=2, settles=True),
        Event(event="published", message="sentinel", copy="sentinel#1"),
        broker("deliver", message="sentinel", copy="sentinel#1", queue=ORDERS, tag=2, link=2),
        subject("ack", message="sentinel", copy="sentinel#1", queue=ORDERS, tag=2, link=2, settles=True),
    ]
    clean = reserved("0001")
    return told(
        "rabbitmq",
        schedule,
        events,
        [
            seen("before", 100),
            seen("clean-1", -1, clean),
            seen("clean-2", -1, clean),
            seen("faulty", 98, reserved(FIRST_ID), reserved(SECOND_ID)),
        ],
    )


def kafka_kill() -> History:
    """Return what auto-commit does: the offset is committed, then the service dies before it works."""
    trap = Trap(when="before", event="produce", message="m1", service="inventory", do="kill")
    schedule = Schedule(
        messages={"m1": Message(id="o1")}, actions=(*publish("m1"), Action(start="inventory")), traps=(trap,)
    )
    at: dict[str, Any] = {"copy": "m1#1", "queue": "7f3a-lane-1.orders", "partition": 2}
    events = [
        Event(event="published", message="m1", copy="m1#1", partition=2, offset=5),
        broker("fetch", offset=5, **at),
        subject("commit", offset=6, group="g", **at),
        broker("response", offset=6, group="g", of="commit", settles=True, **at),
        Event(event="sprung", message="m1", service="inventory", note=trap.describe(), link=1),
        Event(event="kill", service="inventory"),
        Event(event="buried", service="inventory"),
        Event(event="start", service="inventory"),
        Event(event="ready", service="inventory", note="after 0.412 s"),
        Event(event="published", message="sentinel", copy="sentinel#1"),
        Event(event="canary", note="took 0.02 s, allowed 0.50 s"),
    ]
    clean = reserved("0001", "events")
    return told(
        "kafka",
        schedule,
        events,
        [
            seen("before", 100),
            seen("clean-1", -1, clean),
            seen("clean-2", -1, clean),
            seen("faulty", 100),
        ],
    )


def duplicate_in_state() -> History:
    """Return a duplicate whose second effect is in the state alone: its output has a stable id."""
    schedule = Schedule(messages={"m1": Message(id="o1")}, actions=publish("m1", "m1"))
    events = [
        each
        for n in (1, 2)
        for each in (
            Event(event="published", message="m1", copy=f"m1#{n}"),
            broker("deliver", copy=f"m1#{n}", queue=ORDERS, tag=n),
            subject("publish", queue="outcomes/reserved", tag=n),
            broker("confirm", queue="outcomes/reserved", tag=n),
            subject("ack", copy=f"m1#{n}", queue=ORDERS, tag=n, settles=True),
        )
    ]
    clean = reserved("0001")
    return told(
        "rabbitmq",
        schedule,
        events,
        [
            seen("before", 100),
            seen("clean-1", -1, clean),
            seen("clean-2", -1, clean),
            seen("faulty", 98, reserved("0002"), reserved("0002")),
        ],
    )


def counterexample(promise: str, history: History, **fields: Any) -> Counterexample:
    """Return a history as the counterexample to a promise, judged by the check itself."""
    judged = Judged(history, {promise: judge(history, promise)}, log="reserved o1\n")
    made = {"confirmed": 3, "tried": 3, "steps_before": 9}
    return Counterexample(promise=promise, judged=judged, **{**made, **fields})


def test_a_cut_before_the_ack_reads_as_in_the_design() -> None:
    """The publication comes before its delivery, confirms are folded in, the sentinel is left out."""
    story = of_counterexample(counterexample("effects-once", rabbitmq_cut()), RULES)
    assert narrative(story, ".atleastonce/x/counterexamples/1").splitlines() == [
        "BROKEN effects-once · inventory · confirmed 3 of 3 · shrunk from 9 steps to 2",
        "  1  publish  m1 (o1)                → inventory_order_placed",
        "  2  deliver  m1                     first delivery",
        "  3  publish  output of m1, id 71c0  → notification_inventory_reserved, confirmed",
        "  4  ✂ link cut before ack(m1) reached the broker  allowed: unacknowledged messages are redelivered",
        "  5  deliver  m1                     redelivered",
        "  6  publish  output of m1, id e2f4  → notification_inventory_reserved, confirmed   ◄ second effect",
        "  7  ack      m1",
        "  /stock burger: 98, expected 99 (clean run)",
        "  outputs of m1 in notification_inventory_reserved: 2, expected 1 (clean run)",
        "  replay: atleastonce replay .atleastonce/x/counterexamples/1",
    ]


def test_a_lost_effect_names_the_settlement_after_which_it_never_came() -> None:
    """On Kafka the commit and its answer are one step, and the canary's witness is told."""
    story = of_counterexample(counterexample("nothing-lost", kafka_kill(), steps_before=3), RULES)
    assert narrative(story).splitlines() == [
        "BROKEN nothing-lost · inventory · confirmed 3 of 3 · 3 steps",
        "  1  publish  m1 (o1)    → orders[2]",
        "  2  fetch    m1         first delivery",
        "  3  commit   m1         offset 6, done   ◄ its effect never came",
        f"  4  ✂ service killed before produce(m1) reached the broker  allowed: {RULES['kill']}",
        "  5  start    inventory  ready after 0.412 s",
        "  /stock burger: 100, expected 99 (clean run)",
        "  outputs of m1 in events: none, expected 1 (clean run)",
        "  the machine was not too slow: our own message took 0.02 s, allowed 0.50 s",
    ]


def test_a_second_effect_in_the_state_alone_is_marked_at_the_delivery() -> None:
    """Nothing that was published shows it, so the mark stands where the second effect began."""
    judged = counterexample("effects-once", duplicate_in_state()).judged
    assert narrative(of_failure("effects-once", judged, RULES)).splitlines() == [
        "BROKEN effects-once · inventory · seen once, not confirmed yet · 2 steps, not shrunk yet",
        "  1  publish  m1 (o1)                → inventory_order_placed",
        "  2  deliver  m1                     first delivery",
        "  3  publish  output of m1, id 0002  → outcomes/reserved, confirmed",
        "  4  ack      m1",
        "  5  publish  m1 (o1) again          allowed: a publisher may send again after an unknown confirm",
        "  6  deliver  m1                     first delivery of copy 2   ◄ takes effect again",
        "  7  publish  output of m1, id 0002  → outcomes/reserved, confirmed",
        "  8  ack      m1                     of copy 2",
        "  /stock burger: 98, expected 99 (clean run)",
    ]


def test_a_long_story_keeps_its_beginning_its_end_and_its_faults() -> None:
    """Nobody reads a hundred lines: innocents go first, then the middle."""
    names = [f"m{n}" for n in range(1, 41)]
    trap = Trap(when="after", event="deliver", message="m10", do="cut")
    events: list[Event] = []
    for name in names:
        events += [
            Event(event="published", message=name, copy=f"{name}#1"),
            broker("deliver", message=name, copy=f"{name}#1", queue=ORDERS),
            subject("nack", message=name, copy=f"{name}#1", queue=ORDERS, requeue=True),
        ]
    events.insert(29, Event(event="sprung", note=trap.describe()))
    messages = {name: Message() for name in names}
    schedule = Schedule(messages=messages, actions=publish(*names), traps=(trap,))
    verdict = Verdict(promise="nothing-lost", outcome="broken", reason="lost", blamed=tuple(names[:20]))
    text = narrative(retell(told("rabbitmq", schedule, events, []), verdict, RULES))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[5:10] == [
        "5 deliver m2 first delivery",
        "… 24 more steps",
        f"6 ✂ link cut after deliver(m10) had reached the service allowed: {RULES['cut']}",
        "… 26 more steps",
        "7 deliver m19 first delivery",
    ]
    assert lines[-3:] == ["11 nack m20 back to the queue", "… 20 other messages, not shown", "lost"]


def test_one_acknowledgement_for_several_is_told_as_one() -> None:
    """Whoever acknowledged one at a time is told of otherwise."""
    events = [
        subject("ack", message=name, copy=f"{name}#1", queue=ORDERS, note="one for several")
        for name in ("m1", "m2")
    ]
    schedule = Schedule(messages={name: Message() for name in ("m1", "m2")}, actions=publish("m1", "m2"))
    verdict = Verdict(promise="nothing-lost", outcome="broken", reason="lost", blamed=("m1", "m2"))
    (line,) = (
        each
        for each in narrative(retell(told("rabbitmq", schedule, events, []), verdict, RULES)).splitlines()
        if "ack" in each
    )
    assert line.split() == ["1", "ack", "m1,", "m2", "one", "for", "several"]


def test_what_a_fault_separates_stays_apart() -> None:
    """A confirm that came after the cut is a line of its own: the service may not have seen it."""
    trap = Trap(when="after", event="publish", message="m1", nth=2, do="cut")
    schedule = Schedule(messages={"m1": Message()}, actions=publish("m1"), traps=(trap,))
    events = [
        subject("publish", queue=RESERVED, tag=1),
        Event(event="sprung", message="m1", service="inventory", note=trap.describe()),
        broker("confirm", queue=RESERVED, tag=1, ok=False, note="resource error"),
        subject("reject", queue=ORDERS),
        Event(event="exited", service="inventory", note="it ended with exit code 1"),
    ]
    verdict = Verdict(promise="recovers", outcome="unknown", reason="not quiet in time")
    assert narrative(retell(told("rabbitmq", schedule, events, []), verdict, {})).splitlines() == [
        "UNKNOWN recovers · inventory",
        "  1  publish  output of m1  → notification_inventory_reserved, not confirmed",
        "  2  ✂ link cut after the second publish(m1) had reached the broker",
        "  3  confirm  output of m1  refused: resource error",
        "  4  reject   m1            not to come again",
        "  5  exited   inventory     it ended with exit code 1",
        "  not quiet in time",
    ]


def test_neighbours_that_differ_in_their_message_only_are_one_step() -> None:
    """A prefetched batch is one line, as is a batch of commits."""
    names = ("m1", "m2", "m3")
    events = [Event(event="published", message=name, copy=f"{name}#1", partition=0) for name in names]
    events += [broker("fetch", message=name, copy=f"{name}#1", queue="orders", partition=0) for name in names]
    schedule = Schedule(messages={name: Message() for name in names}, actions=publish(*names))
    verdict = Verdict(promise="effects-once", outcome="kept", reason="kept")
    assert narrative(retell(told("kafka", schedule, events, []), verdict, {})).splitlines() == [
        "KEPT effects-once · inventory",
        "  1  publish  m1, m2, m3  → orders[0]",
        "  2  fetch    m1, m2, m3  first delivery",
        "  kept",
    ]


def test_an_address_that_did_not_change_at_all_is_one_difference() -> None:
    """A reservation that was not made lacks every field; the stock beside it is a line of its own."""
    at = "/reservations/<m1.id>"
    missing = {f"{at} $.{name}": {"to": name} for name in ("a", "b", "c", "d")}
    clean = {**missing, "/stock $.burger": {"by": -1}}
    seen = {at: {"$status": 404}, "/stock": {"burger": 100}}
    observations = [
        Observation(observed="before", values=seen),
        Observation(observed="clean-1", values=clean),
        Observation(observed="clean-2", values=clean),
        Observation(observed="faulty", values=seen),
    ]
    bare = msgspec.structs.replace(kafka_kill(), observations=tuple(observations))
    assert of_counterexample(counterexample("nothing-lost", bare), {}).differences == (
        "/reservations/o1: no change, expected changes of a, b, c and 1 more (clean run)",
        "/stock burger: 100, expected 99 (clean run)",
        "the machine was not too slow: our own message took 0.02 s, allowed 0.50 s",
    )
