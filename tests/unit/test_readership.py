"""Who reads what, as the relays have seen it."""

from collections.abc import Callable

import pytest

from atleastonce.readership import TELLING, Extent, Readership, gone_with_links
from atleastonce.recording import Record
from atleastonce.transports import Subscription
from histories import events


def seen(happened: str) -> Readership:
    """Return what is known after these events; dead letters lie in ``dead``."""
    found = Readership()
    found.delayed({"ladder": True, "parking": False})
    for event in events(happened):
        if event.event in TELLING:
            found.seen(event, lambda: ("dead",))
    return found


def test_what_is_consumed_and_what_is_delayed_is_where_messages_wait() -> None:
    """In queues that always hand on, and in those that do once something was put into them to wait."""
    found = seen("consume >in; deliver m1#1 >in; delays >parking; delays >dead; expires >in =500")
    assert found.subscriptions == {Subscription(queue) for queue in ("in", "ladder", "parking")}
    assert found.expires == {"in": 500}


def test_all_is_volatile_where_every_subscription_is() -> None:
    """One that keeps what it has until it is acknowledged is enough for others to be waited for in vain."""
    own = "consume auto >in @1"
    said = [seen(happened).volatile for happened in ("", own, f"{own}; consume >more @1", "consume >in @1")]
    assert said == [False, True, False, False]


@pytest.mark.parametrize(
    ("happened", "gone"),
    [
        ("published m1#1; deliver m1#1; cut *shop; consume auto *shop", {"m1#1"}),
        ("cut *shop; published m1#1; consume auto *shop; published m2#1", {"m1#1"}),
        ("published m1#1; closed *shop @1/0; consume auto *shop", {"m1#1"}),
        ("published m1#1; cut *shop", set()),
        ("published m1#1; consume auto *shop", set()),
        ("published m1#1; cut *shop; consume *shop", set()),
        ("published m1#1; cut *shop; consume auto *depot", set()),
        ("published m1#1; closed *shop @1/4; consume auto *shop", set()),
        ("published m1#1!; cut *shop; consume auto *shop", set()),
    ],
)
def test_what_was_sent_before_it_subscribed_again_may_be_gone(happened: str, gone: set[str]) -> None:
    """Only where the service had lost a link, and where nothing is given back."""
    assert gone_with_links(events(happened)) == gone


def test_one_member_over_one_link_reads_alone() -> None:
    """Not before it is in its group, nor with another link, be it of a reader without a group; nor once it is gone."""
    joined = "consume *shop >in @1; response *shop ~join"
    another = f"{joined}; consume *shop >in @2"
    alone = {
        happened: seen(happened).is_read_alone("in")
        for happened in (
            "consume *shop >in @1",
            joined,
            another,
            f"{another}; closed *shop @2/4",
            f"{another}; closed *shop @2",
            f"{joined}; closed *shop @1; buried *shop; consume *shop >in @3",
        )
    }
    assert [*alone.values()] == [False, True, False, False, True, False]


@pytest.mark.parametrize(
    ("happened", "awaited"),
    [
        ("consume auto >in @1; cut @1/0", True),
        ("consume auto >in @1; consume auto >more @2; closed @1/0", True),
        ("consume auto >in @1; cut @1/0; consume auto >in @2", False),
        ("consume auto >gen-1 @1; closed @1/0; consume auto >gen-2 @2", False),
        ("consume >in @1; cut @1/0", False),
    ],
)
def test_what_is_volatile_is_awaited_until_it_is_read_again(happened: str, awaited: bool) -> None:
    """Under whatever names: a broker gives a queue of one's own another one each time."""
    played = Played(1)
    seen(happened).await_whole(played, lambda: False, 1.0)
    assert bool(played.awaited) is awaited


class Played(Record):
    """A record in which services subscribe to so many queues, one after the other, as fast as they are awaited."""

    def __init__(self, queues: int) -> None:
        super().__init__()
        self.readership = Readership()
        self.awaited = 0
        self._left = [Subscription(f"queue-{number}") for number in range(queues)]
        self.subscribe()

    def subscribe(self) -> None:
        """Let the next one be seen."""
        self.readership.subscriptions |= {self._left.pop()}

    def await_(self, true: Callable[[], bool], within: float, pulse: float = 0.02) -> bool:  # noqa: ARG002 - no clock
        """Let them subscribe until it is true; what they do not do at once they do not do in time."""
        while not true():
            self.awaited += 1
            if not self._left:
                return False
            self.subscribe()
        return True

    def read(self, extent: Extent, *, told: bool = False, ended: bool = False) -> int:
        """Return how much is consumed when the lane goes on."""
        extent.await_(self.readership, self, lambda: ended, told=told)
        return len(self.readership.subscriptions)


def test_a_lane_goes_on_once_all_is_consumed() -> None:
    """The first waits until nothing is added; the next until there is as much, and no longer."""
    extent = Extent()
    assert Played(3).read(extent) == 3
    again = Played(3)
    assert (again.read(extent), again.awaited) == (3, 2)
    assert Played(4).read(extent) == 3


def test_what_says_that_it_is_ready_is_believed() -> None:
    """Then nothing is waited for."""
    assert Played(3).read(Extent(), told=True) == 1


def test_where_less_is_consumed_less_is_awaited_from_then_on() -> None:
    """An instance may leave queues to another one, and wait for its turn: that costs time in one lane alone."""
    extent = Extent()
    assert [Played(queues).read(extent) for queues in (3, 2)] == [3, 2]
    last = Played(3)
    assert (last.read(extent), last.awaited) == (2, 1)


def test_what_has_ended_is_not_awaited() -> None:
    """Not for what it does not subscribe to any more."""
    extent = Extent()
    Played(3).read(extent)
    assert Played(3).read(extent, ended=True) == 1
