"""keeps-order: per key, effects follow the order of publication."""

from typing import Any

import msgspec
import pytest

from atleastonce.checks import keeps_order
from atleastonce.history import Output
from atleastonce.schedule import Trap
from atleastonce.verdict import Verdict
from histories import history, seen

PROMISE = "keeps-order"
KEYS = {"m1": "u1", "m2": "u2", "m3": "u1"}
CALM = (
    "published m1#1; published m2#1; published m3#1; deliver m1#1; deliver m2#1; deliver m3#1; "
    "ack m1#1; ack m2#1; ack m3#1; quiet"
)
CLEAN = seen({}, "m1:a m2:b m3:c")
HOLD = Trap(when="before", event="ack", message="m1", do="hold")
ONE_BY_ONE = "published m1#1; deliver m1#1; ack m1#1; published m3#1; deliver m3#1; ack m3#1; quiet"
FAULTS = "order is judged where each message is sent once, none is poison, and nothing is done"
KEPT = Verdict(
    promise=PROMISE, outcome="kept", reason="outputs came in the order of publication (u1: m1, m3)"
)


def judged(happened: str = CALM, outputs: str = CLEAN.outputs, **more: Any) -> Verdict:
    """Judge a history of three messages, two of one key."""
    given = history(happened, CLEAN, seen({}, outputs), **{"keys": KEYS, **more})
    return keeps_order.check(given)


def broken(evidence: str) -> Verdict:
    """Return the verdict that accuses m3 of having come before m1."""
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason="messages of one key took effect in another order than they were published",
        evidence=(evidence,),
        blamed=("m3", "m1"),
        surplus=True,
    )


@pytest.mark.parametrize(
    "outputs", ["m1:a m2:b m3:c", "m2:b m1:a m3:c", "m1:a m3:c m1:a m2:b", "m1:a m3:c ?"]
)
def test_order_of_publication_is_kept(outputs: str) -> None:
    """Other keys, and outputs that come again, do not count."""
    assert judged(outputs=outputs) == KEPT


@pytest.mark.parametrize("outputs", ["m3:c m2:b m1:a", "m3:c m1:a", "? m3:c m1:a m3:d"])
def test_other_order_is_broken(outputs: str) -> None:
    """A pool of workers that takes m3 before m1 is done."""
    assert judged(outputs=outputs) == broken("m3 before m1 in queue out (key u1)")


@pytest.mark.parametrize("outputs", ["m1:a m2:b m3:c", "m3:c m1:a"])
def test_messages_may_wait_for_a_service_that_is_stopped(outputs: str) -> None:
    """Nothing had been handed to it by then, so that nothing is given back."""
    waiting = CALM.replace("deliver m1", "start *shop; deliver m1")
    expected = KEPT if outputs.startswith("m1") else broken("m3 before m1 in queue out (key u1)")
    assert judged(f"stop *shop; {waiting}", outputs=outputs) == expected


def test_what_is_stopped_while_it_works_gives_messages_back() -> None:
    """Whoever is started beside it may also take them from another one: then there is no occasion."""
    late = CALM.replace("published m3", "stop *shop; published m3").replace("ack m1", "start *shop; ack m1")
    assert judged(late).reason == FAULTS
    joined = CALM.replace("deliver m1", "start *shop; deliver m1").replace("ack m1", "join *shop; ack m1")
    found = judged(f"stop *shop; {joined}")
    assert (found.outcome, found.occasion) == ("unknown", False)


def test_order_of_what_the_service_published_counts_too() -> None:
    """On one link; what it sends back to be tried later is no effect, and links have no order."""
    sent = CALM.replace("ack m1#1", "publish m3 {0} >x; publish m1 @1 >x; ack m1#1")
    assert judged(sent.format("@1"), "m1:a") == broken("m3 before m1 in queue x (key u1)")
    assert judged(sent.format("@2")) == KEPT
    assert judged(CALM.replace("ack m1#1", "publish m3#1 >retry; publish m1#1 >retry; ack m1#1")) == KEPT


def test_a_pair_is_named_once_with_the_name_of_the_contract() -> None:
    """A lane has topics of its own, and what was published is seen twice: as it passed, and as an output."""
    sent = CALM.replace(
        "ack m1#1", "publish m3 @1 >5f-1-lane-1.out; publish m1 @1 >5f-1-lane-1.out; ack m1#1"
    )
    assert judged(sent, "m3:c m1:a") == broken("m3 before m1 in queue out (key u1)")
    assert judged(sent, "m1:a") == broken("m3 before m1 in queue out (key u1)")


def test_partitions_of_kafka_have_no_order_together() -> None:
    """Outputs of one key lie in one partition; of others nobody knows."""
    given = history(CALM, CLEAN, seen(), keys=KEYS)
    for keys, outcome in ((("k", "k"), "broken"), (("k", "l"), "unknown"), ((None, None), "unknown")):
        pairs = zip(("m3", "m1"), keys, strict=True)
        found = tuple(Output(queue="out", message=message, key=key) for message, key in pairs)
        faulty = msgspec.structs.replace(given.observations[-1], outputs=found)
        run = msgspec.structs.replace(
            given,
            header=msgspec.structs.replace(given.header, broker="kafka"),
            observations=(*given.observations[:-1], faulty),
        )
        assert keeps_order.check(run).outcome == outcome


def test_inputs_in_two_queues_have_no_order_together() -> None:
    """The broker keeps the order of one queue, or of one partition."""
    assert judged(CALM.replace("published m3#1", "published m3#1 >other"), "m3:c m1:a").occasion is False


@pytest.mark.parametrize(
    ("happened", "more", "reason"),
    [
        (CALM, {"keys": {}}, "no two messages of one key were in flight together: see input.key"),
        (ONE_BY_ONE, {}, "no two messages of one key were in flight together: see input.key"),
        (CALM, {"outputs": "m1:a m2:b ?"}, keeps_order.NO_OUTPUTS),
        (CALM.replace("quiet", "cut; quiet"), {}, FAULTS),
        (CALM.replace("quiet", "published m1#2; quiet"), {}, FAULTS),
        (CALM, {"traps": (HOLD,)}, FAULTS),
    ],
    ids=["no keys", "one at a time", "outputs without names", "action", "duplicate", "trap"],
)  # fmt: skip
def test_no_occasion(happened: str, more: dict[str, Any], reason: str) -> None:
    """Only messages of one key that were there together, without any fault, can be overtaken."""
    assert judged(happened, **more) == Verdict(
        promise=PROMISE, outcome="unknown", reason=reason, occasion=False
    )


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("closed", "messages may have been given back (closed): order is judged without"),
        ("exit", "messages may have been given back (exit): order is judged without"),
        ("unreadable! API 99", "the relay could not read a frame that it must know: API 99"),
        ("quiet! m1#1 waits", "not quiet in time: m1#1 waits"),
    ],
)
def test_unknown(event: str, reason: str) -> None:
    """What a service that lost its link gets again may come late; a run that went wrong proves nothing."""
    verdict = judged(CALM.replace("; ack m1#1", f"; {event}; ack m1#1"), "m3:c m1:a")
    assert verdict == Verdict(promise=PROMISE, outcome="unknown", reason=reason)


def test_link_that_consumed_nothing_may_close() -> None:
    """A service may open a connection for each of its publications."""
    assert judged(CALM.replace("quiet", "closed @7; quiet")) == KEPT
