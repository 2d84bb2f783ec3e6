"""backlog-drains: what was accepted while the service was down takes effect after it starts."""

from collections.abc import Sequence

import pytest

from atleastonce.checks import backlog_drains
from atleastonce.checks.case import unseen
from atleastonce.report.marks import Marks
from atleastonce.verdict import Verdict
from histories import Seen, history, seen

PROMISE = "backlog-drains"
WAITED = (
    "stop *shop; published m1#1; published m2#1; depth >in =2; start *shop; ready *shop +1; published m3#1; "
    "deliver m1#1; ack m1#1; deliver m2#1; ack m2#1; deliver m3#1; ack m3#1; quiet +0.5; canary"
)
LATER = WAITED.replace("depth >in =2; ", "").replace("quiet", "depth =2; quiet")
ALL = seen({f"/r/<m{n}.id>": 1 for n in (1, 2, 3)})
STALLED = WAITED.replace("quiet", "quiet! m2#1 waits").replace("! m2#1 waits +0.5", " +0.5! m2#1 waits")


def judged(happened: str = WAITED, faulty: Seen | None = ALL, clean: Seen = ALL) -> Verdict:
    """Judge a history in which what waited must be gone within ten seconds."""
    return backlog_drains.check(history(happened, clean, faulty, promised={PROMISE: {"within": 10.0}}))


def broken(reason: str, *evidence: str, blamed: tuple[str, ...] = ()) -> Verdict:
    """Return the verdict that accuses for this reason."""
    return Verdict(promise=PROMISE, outcome="broken", reason=reason, evidence=evidence, blamed=blamed)


def test_backlog_with_its_effects_is_kept() -> None:
    """The reason names how much waited and how long it took; the first empty depth is the end of it."""
    said = "2 messages waited in in while the service was down, and nothing any more {} s after it was started again"
    for happened, took in ((WAITED, "1.5"), (WAITED.replace("quiet", "depth >in =0 +0.2; quiet"), "1.2")):
        assert judged(happened) == Verdict(promise=PROMISE, outcome="kept", reason=said.format(took))


@pytest.mark.parametrize("waiting", [1, 2])
def test_message_that_expired_is_broken(waiting: int) -> None:
    """What waited has no effect, and the dead-letter queue is no excuse."""
    short = {address: 1 for address in ALL.values if f"m{waiting}" not in address}
    assert judged(faulty=seen(short, dead=f"m{waiting}")) == broken(
        "what waited while the service was down has no effect",
        f"/r/<m{waiting}.id> $: no change, expected +1 (clean run)",
        blamed=(f"m{waiting}",),
    )


def test_new_message_without_effect_is_broken() -> None:
    """A service that never gets to the new messages starves them."""
    assert judged(faulty=seen({"/r/<m1.id>": 1, "/r/<m2.id>": 1})) == broken(
        "new messages are starved: what came after the start has no effect",
        "/r/<m3.id> $: no change, expected +1 (clean run)",
        blamed=("m3",),
    )


def test_total_that_is_short_is_the_backlog_s_only_where_it_can_be() -> None:
    """Where new messages may be what is missing as well, nobody knows; alone, the backlog is to blame."""
    alone = WAITED.replace("published m3#1; ", "").replace("; deliver m3#1; ack m3#1", "")
    clean, faulty = seen({"/stock": 3}), seen({"/stock": 2})
    assert judged(alone, faulty, clean).outcome == "broken"
    assert judged(WAITED, faulty, clean).reason == (
        "m3 may be what is missing: /stock $: +2, expected +3 (clean run)"
    )


def test_backlog_that_stays_is_broken() -> None:
    """Not quiet within the deadline, with a canary that was in time."""
    happened = STALLED.replace("; ack m2#1", "")
    assert judged(happened, None) == broken(
        "2 messages waited in in while the service was down, "
        "and the service did not get done with it within 10 s",
        "not quiet in time: m2#1 waits",
        blamed=("m2",),
    )


OLD, NEW = range(1, 9), range(9, 17)
"""What waits while the service is down, and what comes when it is back."""


def sixteen(*order: int, consumer: str = "") -> str:
    """Return an outage of eight waiting and eight new messages, settled in this order, a second each."""
    waiting, new = ("; ".join(f"published m{n}#1" for n in group) for group in (OLD, NEW))
    by = {n: f" *{consumer}{1 if n in OLD else 2}" if consumer else "" for n in order}
    settled = "; ".join(f"deliver m{n}#1{by[n]}; ack m{n}#1{by[n]} +1" for n in order)
    return f"stop; {waiting}; depth =8; start; ready; {new}; {settled}; quiet; canary"


@pytest.mark.parametrize(
    ("order", "starved"),
    [
        ((*OLD, *NEW), ()),
        ([n for pair in zip(OLD, NEW, strict=True) for n in pair], ()),
        ((*OLD[:4], *NEW, *OLD[4:]), ()),
        ((*NEW, *OLD), OLD),
        ((*OLD[:1], *NEW[:6], *OLD[1:], *NEW[6:]), OLD[1:]),
    ],
)
def test_backlog_that_new_messages_overtake_is_starved(order: Sequence[int], starved: Sequence[int]) -> None:
    """Most of what waited, settled only after most of what was new: served last in, first out."""
    verdict = judged(sixteen(*order), every := seen({"/stock": 16}), every)
    said = f"settled {len(starved)} of 8 that waited, after most of the new ones"
    assert [line.partition(" (")[0] for line in verdict.evidence] == ([said] if starved else [])
    assert verdict.blamed == tuple(f"m{n}" for n in starved)


@pytest.mark.parametrize(("given_back", "outcome"), [(5, "kept"), (0, "broken")])
def test_what_was_given_back_says_nothing_of_an_order(given_back: int, outcome: str) -> None:
    """A channel is closed with messages in hand: they come again behind what the broker had ready."""
    again = "; ".join(f"deliver m{n}#1; nack m{n}#1" for n in OLD[:given_back])
    happened = sixteen(*NEW, *OLD).replace("deliver m9#1", f"{again}; deliver m9#1".removeprefix("; "), 1)
    assert judged(happened, every := seen({"/stock": 16}), every).outcome == outcome


@pytest.mark.parametrize(
    ("stock", "mark"), [(16, "newer ones were served first"), (15, "its effect never came")]
)
def test_a_starved_message_is_not_called_a_lost_one(stock: int, mark: str) -> None:
    """Where it is settled at last, the story says what is wrong with that; a total that is short may be anybody's."""
    found = history(sixteen(*NEW, *OLD), seen({"/stock": 16}), seen({"/stock": stock}))
    accused = broken("starved", blamed=("m1",))
    marks = Marks(found, accused)
    assert [marks.of_settlement(event) for event in found.named("ack") if event.message == "m1"] == [mark]


def test_what_one_commit_settled_came_together() -> None:
    """At one time there is no order."""
    happened = sixteen(*NEW, *OLD).replace(" +1", "")
    assert judged(happened, every := seen({"/stock": 16}), every).outcome == "kept"


def test_one_consumer_may_be_busy_with_what_waited_while_another_is_idle() -> None:
    """Who comes first takes all that waits, as far as it may prefetch, and the new ones go to the others."""
    happened = sixteen(*NEW, *OLD, consumer="inventory-")
    assert judged(happened, every := seen({"/stock": 16}), every).outcome == "kept"


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (WAITED.partition("start")[2], "the service was not stopped"),
        (WAITED.replace("=2", "=0"), "nothing waited while the service was down"),
        (LATER, "nothing waited while the service was down"),
    ],
    ids=["no outage", "empty", "deep only afterwards"],
)  # fmt: skip
def test_no_occasion(happened: str, reason: str) -> None:
    """A queue that was empty while the service was down leaves nothing to drain."""
    assert judged(happened) == Verdict(promise=PROMISE, outcome="unknown", reason=reason, occasion=False)


def test_effects_that_are_not_observed_are_unknown() -> None:
    """Where a clean run shows nothing of what waited, draining it proves nothing."""
    clean = seen({"/r/<m3.id>": 1})
    assert judged(faulty=clean, clean=clean) == Verdict(
        promise=PROMISE,
        outcome="unknown",
        reason=str(unseen("what waited")),
        occasion=False,
    )


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (STALLED.replace("canary", "canary! took 9 s"), "the canary too (took 9 s); not quiet in time: m2#1 waits"),
        (STALLED.replace("; canary", ""), "no canary kept the time beside the service; not quiet in time: m2#1 waits"),
        (STALLED.replace("stop", "published p1#1; stop"), "not quiet in time: m2#1 waits; p1 may be the reason"),
        (WAITED.replace("quiet", "unreadable! API 99; quiet"), "the relay could not read a frame"),
        (WAITED.replace("quiet +0.5; canary", "canary"), "the history does not say that the service became quiet"),
    ],
    ids=["slow machine", "no canary", "poison", "unreadable", "never quiet"],
)  # fmt: skip
def test_unknown(happened: str, reason: str) -> None:
    """What cannot be charged to the backlog, or has no witness, accuses nobody."""
    verdict = judged(happened, None)
    assert (verdict.outcome, verdict.occasion) == ("unknown", True)
    assert reason in verdict.reason
