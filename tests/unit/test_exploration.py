"""Which schedules are tried, and how a failing one is made shorter."""

from collections.abc import Callable

import pytest

from atleastonce.exploration.crash_points import crash_points
from atleastonce.exploration.duplicates import duplicates
from atleastonce.exploration.shrinking import shrink, without_one_step
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from histories import history, seen


def test_crash_points_stand_before_and_after_every_event() -> None:
    """Each event of a message is a crash point twice; ours and the sentinel's are none."""
    calm = history(
        "start; published m1#1; consume; deliver m1#1; publish m1 >out; confirm m1; deliver m1#1 again; "
        "ack m1#1; deliver sentinel#1; ack sentinel#1; quiet",
        seen(),
        seen(),
    )
    assert [schedule.describe() for schedule in crash_points(calm)] == [
        f"publish m1; start ; kill {when} {event}"
        for event in ("deliver(m1)", "publish(m1)", "confirm(m1)", "deliver(m1, time 2)", "ack(m1)")
        for when in ("before", "after")
    ]


def test_crash_points_publish_all_messages_and_carry_another_fault() -> None:
    """The other messages of the calm run are there too; the fault is a name."""
    calm = history("published m1#1; published m2#1; ack m2#1; quiet", seen(), seen())
    first, second = crash_points(calm, fault="cut")
    assert first.describe() == "publish m1; publish m2; start ; cut before ack(m2)"
    assert (first.messages, second.messages) == (calm.header.schedule.messages,) * 2


def test_duplicates_come_at_once_late_and_all_together() -> None:
    """Every message twice in a row, every one again behind the others, everything twice; no order twice."""
    calm = history("published a#1; published b#1; published c#1", seen(), seen())
    assert ["".join(action.target for action in each.actions) for each in duplicates(calm)] == [
        "aabc", "abbc", "abcc", "abca", "abcb", "abcabc",
    ]  # fmt: skip


def test_duplicates_of_one_message() -> None:
    """A single message has one duplicate only."""
    calm = history("published a#1", seen(), seen())
    assert [each.describe() for each in duplicates(calm)] == ["publish a; publish a"]


BIG = Schedule(
    messages={name: Message(id=name) for name in ("m1", "m2", "m3", "sentinel")},
    actions=(*publish("m1", "m2", "m2", "m3", "m1"), Action(start="s")),
    traps=(
        Trap(when="before", event="ack", message="m1", do="kill"),
        Trap(when="after", event="ack", message="m3", do="kill"),
    ),
)


def duplicate_of_m2(schedule: Schedule) -> bool:
    """Fail where m2 is published twice."""
    return sum(action.target == "m2" for action in schedule.actions) > 1


def kill_of_m1(schedule: Schedule) -> bool:
    """Fail where m1 is published, its ack meets the trap, and the service is started again."""
    started = any(action.verb == "start" for action in schedule.actions)
    return started and "m1" in schedule.published and any(trap.message == "m1" for trap in schedule.traps)


@pytest.mark.parametrize(
    ("breaks", "blamed", "shortest"),
    [
        (duplicate_of_m2, ["m2"], "publish m2; publish m2"),
        (duplicate_of_m2, [], "publish m2; publish m2"),
        (duplicate_of_m2, ["m1"], "publish m2; publish m2"),
        (kill_of_m1, ["m1"], "publish m1; start s; kill before ack(m1)"),
        (lambda _: True, ["m1"], "publish m1"),
    ],
)
def test_shrunk_schedule_has_no_step_that_can_go(
    breaks: Callable[[Schedule], bool], blamed: list[str], shortest: str
) -> None:
    """Whoever is blamed, the result still breaks, and nothing shorter by one step does."""
    found = shrink(BIG, blamed, breaks)
    assert found.describe() == shortest
    assert breaks(found)
    assert not any(breaks(each) for each in without_one_step(found))


def test_shrunk_schedule_defines_only_what_it_names() -> None:
    """Messages that are no longer published are left out; the sentinel's definition stays."""
    assert set(shrink(BIG, ["m2"], duplicate_of_m2).messages) == {"m2", "sentinel"}


def test_schedule_that_does_not_break_again_is_left_as_it_is() -> None:
    """Where nothing shorter breaks, the schedule itself is the answer."""
    assert shrink(BIG, ["m2"], lambda _: False) == BIG


def test_blamed_messages_are_tried_first() -> None:
    """Everything that has nothing to do with the blame goes in one try, since each costs a run."""
    asked: list[str] = []
    many = Schedule(
        messages={f"m{n}": Message() for n in range(50)}, actions=publish(*(f"m{n}" for n in range(50)))
    )

    def breaks(schedule: Schedule) -> bool:
        asked.append(schedule.describe())
        return "m7" in schedule.published

    shrink(many, ["m7"], breaks)
    assert asked == ["publish m7"]


def test_a_schedule_without_publications_is_never_tried() -> None:
    """With nobody to blame and no trap there is nothing to focus on: an empty run would be wasted."""
    asked: list[Schedule] = []
    shrink(Schedule(messages={"m1": Message()}, actions=publish("m1")), [], lambda s: bool(asked.append(s)))
    assert asked == []
