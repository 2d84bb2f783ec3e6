"""A budget that runs out has seen a bit of everything, and the quick and telling first."""

from atleastonce.exploration.ordering import family, in_turn
from atleastonce.schedule import Action, Message, Schedule, Trap, When, publish

ORDER = {"m1": Message(id="o1")}
POISON = Schedule(messages={"p1": Message(id="p", poison=0)}, actions=publish("p1"))
OUTAGE = Schedule(messages=ORDER, actions=(Action(stop="shop"), *publish("m1"), Action(start="shop")))


def twice(copies: int) -> Schedule:
    """Return a schedule of so many copies."""
    return Schedule(messages=ORDER, actions=publish(*["m1"] * copies))


def killed(event: str, when: When = "after") -> Schedule:
    """Return a schedule with a kill there."""
    return Schedule(
        messages=ORDER,
        actions=(*publish("m1"), Action(start="shop")),
        traps=(Trap(when=when, event=event, message="m1", do="kill"),),
    )


def test_kinds_take_turns_the_quick_ones_first() -> None:
    """What makes many messages wait comes last in each round."""
    given = [OUTAGE, POISON, twice(2), twice(3), killed("deliver")]
    ordered = in_turn(given, 1)
    assert [family(each) for each in ordered[:4]][2:] == ["poison", "start stop"]
    assert {family(each) for each in ordered[:2]} == {"", "kill start"}
    assert family(ordered[4]) == ""


def test_where_a_message_is_settled_a_kill_tells_most() -> None:
    """Behind it first, before it then, and the other points in any order."""
    deliver, before, after = killed("deliver"), killed("ack", "before"), killed("ack")
    assert in_turn([deliver, before, after], 1) == [after, before, deliver]


def test_the_same_seed_gives_the_same_order() -> None:
    """Nothing is left out, and another seed may take another order."""
    given = [twice(copies) for copies in range(2, 30)]
    assert in_turn(given, 1) == in_turn(given[::1], 1)
    assert in_turn(given, 1) != in_turn(given, 2)
    assert sorted(map(len, (each.actions for each in in_turn(given, 1)))) == [*range(2, 30)]
