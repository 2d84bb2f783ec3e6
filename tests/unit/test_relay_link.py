"""A link passes whole frames on: what came at once leaves at once, and a trap strikes between two frames."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pamqp import frame
from test_relay_amqp import Basic, delivery

from atleastonce.history import Event
from atleastonce.relay.amqp import AmqpCodec
from atleastonce.relay.codec import From, Names
from atleastonce.relay.link import End, Link, Recorder
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap, When

GREETING = b"AMQP\x00\x00\x09\x01"
SIDES: tuple[From, ...] = ("subject", "broker")


class Keeper:
    """What a link belongs to; what happens is written down in its order, and a trap stops the link."""

    def __init__(self) -> None:
        self.service = "shop"
        self.to = ""
        self.traps = Traps()
        self.happened: list[Any] = []
        self.record: Recorder = self._write_down
        self.strike: Callable[[Trap, Link], None] = lambda _, link: link.hold()
        self.clock: Callable[[], float] = lambda: 0.0

    def forget(self, link: Link) -> None:
        """Nobody asks for the links."""

    def _write_down(self, *events: Event) -> None:
        self.happened += [f"{event.event} {event.tag}" if event.tag else event.event for event in events]


@dataclass
class Transport(asyncio.Transport):
    """One of the two connections, as far as a link uses it."""

    happened: list[Any]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write down how much was written at once."""
        self.happened.append(len(data))

    def get_extra_info(self, name: str, default: object = None) -> None:
        """There is no socket."""


def linked(keeper: Keeper) -> Link:
    """Return a link over which the subject consumes."""
    names = Names()
    names.begin("case-1", [], {})
    link = Link(keeper, 1, AmqpCodec(names))
    for side in SIDES:
        End(link, side).connection_made(Transport(keeper.happened))
    link.received("subject", GREETING + frame.marshal(Basic.Consume(0, "in", "c"), 1))
    link.received("broker", frame.marshal(Basic.ConsumeOk("c"), 1))
    keeper.happened.clear()
    return link


def test_what_came_at_once_leaves_at_once_and_is_recorded_then() -> None:
    """Three deliveries in one read are one write; their events follow it in their order."""
    keeper = Keeper()
    came = b"".join(delivery(tag) for tag in (1, 2, 3))
    linked(keeper).received("broker", came)
    assert keeper.happened == [len(came), "deliver 1", "deliver 2", "deliver 3"]


@pytest.mark.parametrize(("again", "struck"), [(False, ["sprung"]), (True, [])])
def test_a_trap_strikes_later_unless_its_case_is_over(again: bool, struck: list[str]) -> None:
    """What comes meanwhile passes; an equal trap of the next case is another one."""
    keeper = Keeper()
    late = Trap(when="after", event="deliver", message="m1", do="kill", later="20ms")

    async def pass_on() -> None:
        keeper.traps.arm([late])
        linked(keeper).received("broker", delivery(1) + delivery(2))
        if again:
            keeper.traps.arm([late])
        await asyncio.sleep(0.05)

    asyncio.run(pass_on())
    told = [each for each in keeper.happened if isinstance(each, str)]
    assert told == ["deliver 1", "deliver 2", *struck]
    assert keeper.traps.unsprung() == ((late,) if again else ())


@pytest.mark.parametrize(("when", "first"), [("before", 1), ("after", 2)])
def test_a_trap_finds_what_is_before_it_passed_and_nothing_behind_it(when: When, first: int) -> None:
    """Of three deliveries in one read the second springs it; what the link held then passes on its release."""
    keeper = Keeper()
    keeper.traps.arm([Trap(when=when, event="deliver", message="m1", nth=2, do="hold")])
    link, size = linked(keeper), len(delivery(1))
    link.received("broker", b"".join(delivery(tag) for tag in (1, 2, 3)))
    passed = [f"deliver {tag}" for tag in (1, 2, 3)]
    assert keeper.happened == [first * size, *passed[:first], "sprung"]
    link.release()
    assert [each for each in keeper.happened if isinstance(each, str)] == [
        *passed[:first],
        "sprung",
        *passed[first:],
    ]
    assert sum(each for each in keeper.happened if isinstance(each, int)) == 3 * size
