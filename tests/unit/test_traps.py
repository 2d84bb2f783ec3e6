"""Traps: a fault waits for an event of a message, and strikes once."""

import pytest

from atleastonce.history import Event
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap, When
from histories import events


def trap(
    when: When = "before", event: str = "ack", message: str = "m1", nth: int = 1, service: str = ""
) -> Trap:
    """Return a trap that kills."""
    return Trap(when=when, event=event, message=message, nth=nth, service=service, do="kill")


def sprung(
    traps: Traps, *passing: str, when: When = "before", service: str = "inventory"
) -> list[Trap | None]:
    """Let events pass, a text for those that pass together; return what each sprang."""
    return [traps.due(when, service, events(text)) for text in passing]


def armed(*given: Trap) -> Traps:
    """Return these traps, armed."""
    traps = Traps()
    traps.arm(given)
    return traps


def test_trap_springs_at_its_event_and_once() -> None:
    """Other events and messages do not spring it, and it does not spring again."""
    traps = armed(trap())
    assert sprung(traps, "deliver m1#1", "ack m2#1", "ack m1#1", "ack m1#1") == [None, None, trap(), None]
    assert traps.unsprung() == ()


def test_a_trap_that_strikes_later_is_due_once_and_sprung_then() -> None:
    """Until it has struck, it is one of those that have not sprung."""
    late = Trap(when="after", event="deliver", message="m1", do="kill", later="40ms")
    traps = armed(late)
    assert sprung(traps, "deliver m1#1", "deliver m1#1", when="after") == [late, None]
    assert traps.unsprung() == (late,)
    traps.spring(late)
    assert traps.unsprung() == ()


@pytest.mark.parametrize(
    ("waiting", "when", "service"),
    [(trap(when="after"), "before", "inventory"), (trap(service="mail"), "before", "inventory")],
)
def test_trap_for_another_side_or_service_waits(waiting: Trap, when: When, service: str) -> None:
    """Before is not after, and a named service is meant alone."""
    traps = armed(waiting)
    assert sprung(traps, "ack m1#1", when=when, service=service) == [None]
    assert traps.unsprung() == (waiting,)


def test_instances_of_a_service_spring_its_trap_once() -> None:
    """Which instance a message goes to differs from run to run; times are counted over all of them."""
    waiting = trap(nth=2, service="inventory")
    traps = armed(waiting)
    services = ("inventory-1", "mail-1", "inventory-2", "inventory-1")
    passed = [traps.due("before", service, events("ack m1#1")) for service in services]
    assert passed == [None, None, waiting, None]


def test_trap_for_one_instance_waits_for_it() -> None:
    """Its name means it alone, neither the others nor the service."""
    waiting = trap(service="inventory-2")
    traps = armed(waiting)
    passed = [traps.due("before", f"inventory-{n}", events("ack m1#1")) for n in (1, 12, 2)]
    assert passed == [None, None, waiting]


def test_nth_time_counts_every_copy_and_those_that_pass_together() -> None:
    """Two acks in one frame are two times; an unrelated event afterwards springs nothing."""
    traps = armed(trap(nth=3))
    assert sprung(traps, "ack m1#1", "ack m2#1", "ack m1#2; ack m1#3") == [None, None, trap(nth=3)]
    overshot = armed(trap(nth=2))
    assert sprung(overshot, "ack m1#1; ack m1#2; ack m1#3") == [trap(nth=2)]


def test_later_trap_counts_what_an_earlier_one_sprang_at() -> None:
    """Each trap counts for itself: the second time is the second, whoever struck at the first."""
    first, second = trap(), trap(nth=2)
    assert sprung(armed(first, second), "ack m1#1", "ack m1#1") == [first, second]


def test_of_two_equal_traps_one_springs_at_a_time() -> None:
    """The second waits for the next such event, not for any event."""
    traps = armed(trap(), trap())
    assert sprung(traps, "ack m1#1", "deliver m2#1", "ack m1#1") == [trap(), None, trap()]


@pytest.mark.parametrize(
    ("service", "link", "springs"),
    [
        ("shop", "depot", True),
        ("depot", "shop", True),
        ("", "depot", True),
        ("shop", "broker", False),
        ("shop", "mail", False),
        ("mail", "depot", False),
    ],
)
def test_trap_between_two_services_names_both(service: str, link: str, springs: bool) -> None:
    """The one that is struck and the other end, whichever of the two asks; a broker is neither."""
    waiting = Trap(when="before", event="request", message="m1", service=service, link=link, do="kill")
    found = armed(waiting).due("before", "shop-1", events("request m1"), "depot")
    assert found == (waiting if springs else None)
    assert armed(waiting).due("before", "shop-1", events("request m1")) == (
        waiting if link == "broker" else None
    )


def test_arming_replaces_every_trap() -> None:
    """A new case begins with its own traps, counted from nothing."""
    traps = armed(trap(nth=2))
    sprung(traps, "ack m1#1")
    traps.arm((trap(nth=2),))
    assert sprung(traps, "ack m1#1") == [None]


def test_a_write_point_begins_with_the_delivery_and_springs_in_the_service() -> None:
    """Until it has struck it waits; a second delivery of the message does not begin it again."""
    point = Trap(event="write", nth=4, during="m1", service="inventory", do="kill")
    traps = armed(point)
    assert sprung(traps, "deliver m2#1", "deliver m1#1", "deliver m1#1 again") == [None, point, None]
    assert traps.unsprung() == (point,)
    traps.spring(point)
    assert traps.unsprung() == ()


@pytest.mark.parametrize(
    ("event", "springs"), [("join", [True, False, False]), ("response", [False, False, True])]
)
def test_trap_of_a_group_waits_for_a_member(event: str, springs: list[bool]) -> None:
    """It names no message: a member asks to be let in, or hears that it is; another answer does not spring it."""
    waiting = Trap(when="after", event=event, service="inventory", do="kill")
    passing = (Event(event="join"), Event(event="response", of="commit"), Event(event="response", of="join"))
    sprang = [armed(waiting).due("after", "inventory", [each]) == waiting for each in passing]
    assert (sprang, waiting.about) == (springs, "")
