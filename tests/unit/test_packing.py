"""Schedules that are packed into one are carried out side by side, and taken apart without a trace of it."""

import msgspec

from atleastonce.checks import judge
from atleastonce.packing import pack, packable, unpack
from atleastonce.schedule import SENTINEL, Action, Message, Schedule, Trap, publish
from histories import history, seen

TWICE = Schedule(messages={"m1": Message(id="o1")}, actions=publish("m1", "m1"))
ONCE = Schedule(messages={"m1": Message(id="o1")}, actions=publish("m1"))
BOTH = (
    "published 0~m1#1; published 0~m1#2; published 1~m1#1; deliver 0~m1#1; deliver 1~m1#1; ack 0~m1#1; ack 1~m1#1;"
    "deliver 0~m1#2; ack 0~m1#2; published sentinel#1; deliver sentinel#1; ack sentinel#1; quiet"
)
SEEN = {"/orders/<0~m1.id>": {"id": "<0~m1.id>"}, "/orders/<1~m1.id>": {"id": "<1~m1.id>"}, "/stock": 7}


def packed(faulty: dict[str, object] = SEEN, outputs: str = "0~m1:a 1~m1:b"):
    """Return what happened to both, where this was seen at the end."""
    return history(BOTH, seen(SEEN, "0~m1:a 1~m1:b"), seen(faulty, outputs), before={"/stock": 9})


def test_messages_of_different_schedules_keep_apart() -> None:
    """Each has the number of its schedule before its name; what is done stays in its order."""
    both = pack([TWICE, ONCE])
    assert [action.target for action in both.actions] == ["0~m1", "0~m1", "1~m1"]
    assert both.messages == {"0~m1": Message(id="o1"), "1~m1": Message(id="o1")}


def test_only_publishing_can_be_packed() -> None:
    """A trap, a restart or a sentinel of one's own would strike the others too."""
    trapped = msgspec.structs.replace(
        ONCE, traps=(Trap(when="before", event="ack", message="m1", do="kill"),)
    )
    stopped = msgspec.structs.replace(ONCE, actions=(Action(stop="service"),))
    own = Schedule(messages={SENTINEL: Message(id="o1")}, actions=publish(SENTINEL))
    assert [packable(each) for each in (TWICE, trapped, stopped, own)] == [True, False, False, False]


def test_each_gets_its_own_part_under_its_own_name() -> None:
    """What belongs to nobody, such as the sentinel and the stock, belongs to all."""
    first, second = unpack(packed(), [TWICE, ONCE])
    assert [event.copy for event in second.events] == ["m1#1"] * 3 + ["sentinel#1"] * 3 + [None]
    faulty = second.observed("faulty")
    assert faulty is not None
    assert faulty.values == {"/orders/<m1.id>": {"id": "<m1.id>"}, "/stock": 7}
    assert [(output.message, output.id) for output in faulty.outputs] == [("m1", "b")]
    assert first.header.schedule == TWICE


def test_each_is_judged_as_if_it_had_been_alone() -> None:
    """Sent twice it has an occasion; sent once it has none."""
    verdicts = [judge(each, "effects-once") for each in unpack(packed(), [TWICE, ONCE])]
    assert [(each.outcome, each.occasion) for each in verdicts] == [("kept", True), ("unknown", False)]


def test_a_second_effect_is_charged_to_its_own_schedule() -> None:
    """The other one keeps its promise."""
    guilty, other = unpack(packed(outputs="0~m1:a 0~m1:c 1~m1:b"), [TWICE, TWICE])
    assert judge(guilty, "effects-once").outcome == "broken"
    assert judge(other, "effects-once").outcome != "broken"


def test_a_shared_value_that_differs_puts_the_whole_in_doubt() -> None:
    """Nothing tells whose doing it is: the workshop then carries them out one by one."""
    assert judge(packed({**SEEN, "/stock": 6}), "effects-once").outcome != "kept"
