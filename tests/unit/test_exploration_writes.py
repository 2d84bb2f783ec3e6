"""Write points: a trace of each message says how many there are, and the walk goes on until one no longer hits."""

import msgspec

from atleastonce.contract import BrokerTable, Contract, Input, Service
from atleastonce.exploration.writes import onward, traces
from atleastonce.history import History
from atleastonce.schedule import Schedule
from histories import events, history, seen

CONTRACT = Contract(
    broker=BrokerTable(kind="rabbitmq"),
    input=Input(queue="in", message="whole"),
    services={"shop": Service(command="run")},
    promises={"nothing-lost": True},
)
CALM = history(
    "published m1#1; published m2#1; deliver m1#1 *shop; deliver m2#1 *shop; ack m1#1; deliver m1#1 *shop again",
    seen(),
    seen(),
)


def carried_out(schedule: Schedule, happened: str) -> History:
    """Return the history of a schedule, in which a trap springs where that is what happened."""
    given = history("quiet", seen(), seen())
    (trap,) = schedule.traps
    said = happened.replace("sprung", f"sprung: {trap.describe()}")
    header = type(given.header)(schedule=schedule)
    return History(header=header, events=tuple(events(said)))


def told(schedules: list[Schedule]) -> list[str]:
    """Return schedules in words."""
    return [schedule.describe() for schedule in schedules]


def test_each_message_is_traced_alone() -> None:
    """By a trap that never springs; a redelivery is no second message."""
    found = list(traces(CALM, CONTRACT))
    assert told(found) == [f"publish {name}; noop at write 1000000 of {name}" for name in ("m1", "m2")]
    assert [list(each.messages) for each in found] == [["m1"], ["m2"]]


def test_the_walk_takes_what_the_trace_has_seen() -> None:
    """One schedule per system call: the service dies there, and is started again."""
    first, _ = traces(CALM, CONTRACT)
    found = onward([carried_out(first, "write m1; write m1; ack m1#1")])
    assert told(found) == [f"publish m1; start shop; kill at write {nth} of m1" for nth in (1, 2)]


def test_the_walk_goes_on_until_a_point_is_not_hit() -> None:
    """A process that was started again may call more than the one that was traced."""
    first, _ = traces(CALM, CONTRACT)
    walked = [carried_out(first, "write m1; write m1")]
    one, two = onward(walked)
    walked += [carried_out(one, "sprung"), carried_out(two, "sprung")]
    (three,) = onward(walked)
    assert told([three]) == ["publish m1; start shop; kill at write 3 of m1"]
    assert onward([*walked, carried_out(three, "unsprung")]) == []


def test_one_of_several_instances_stands_still_as_well() -> None:
    """At the same points, while the other messages come to the others; where there is one instance, none would."""
    two = msgspec.structs.replace(CONTRACT, services={"shop": Service(command="run", instances=2)})
    first, _ = traces(CALM, two)
    assert told([first]) == ["publish m1; noop at write 1000000 of m1"]
    found = onward([carried_out(first, "write m1")])
    assert told(found) == [
        "publish m1; start shop; kill at write 1 of m1",
        "publish m1; publish m2; publish m1; pause at write 1 of m1",
    ]
    assert [list(each.messages) for each in found] == [["m1"], ["m1", "m2"]]


def test_a_message_that_calls_nothing_has_no_points() -> None:
    """And what was not traced has no walk."""
    first, _ = traces(CALM, CONTRACT)
    assert onward([carried_out(first, "ack m1#1"), CALM]) == []
