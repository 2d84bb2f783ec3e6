"""Who reads what, as the relays have seen it."""

from atleastonce.readership import TELLING, Readership
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
