"""accepts-honestly: an answer of 2xx means that the message is on the broker."""

import pytest

from atleastonce.checks import accepts_honestly
from atleastonce.checks.case import unseen
from atleastonce.schedule import CLIENT, Trap
from atleastonce.verdict import Verdict
from histories import Seen, history, seen

PROMISE = "accepts-honestly"
SENT = (
    "cut *shop; asked m1#1 =503; asked m1#1 =202; published m1#1 auto; "
    "asked m2#1 =202; published m2#1 auto; quiet; canary"
)
NO_FAULT = "nothing was cut, taken away or ended while requests were sent"
BOTH = seen({}, "m1:a m2:b")


def judged(happened: str = SENT, faulty: Seen | None = BOTH, clean: Seen = BOTH) -> Verdict:
    """Judge a history of two requests, the first of them repeated."""
    return accepts_honestly.check(history(happened, clean, faulty))


@pytest.mark.parametrize("fault", ["cut *shop", "unrouted >in", "isolated *shop =2"])
def test_accepted_requests_with_their_effect_are_kept(fault: str) -> None:
    """What was answered with 2xx is there, once, however often it was asked."""
    assert judged(SENT.replace("cut *shop", fault)) == Verdict(
        promise=PROMISE, outcome="kept", reason="answered with 2xx, m1, m2 had their effect"
    )


def test_what_strikes_on_the_way_in_is_an_occasion() -> None:
    """The client cannot tell whether it was done, and asks again; between other two it is no business of its own."""
    happened = SENT.replace("cut *shop", "sprung: kill before response(m1) between shop and {}")
    outcomes = []
    for link in (CLIENT, "depot"):
        trap = Trap(when="before", event="response", message="m1", service="shop", link=link, do="kill")
        verdict = accepts_honestly.check(history(happened.format(link), BOTH, BOTH, traps=(trap,)))
        outcomes.append((verdict.outcome, verdict.occasion))
    assert outcomes == [("kept", True), ("unknown", False)]


def test_accepted_request_without_effect_is_broken() -> None:
    """Answered before the broker confirmed, or without asking it whether the message went anywhere."""
    assert judged(faulty=seen({}, "m1:a")) == Verdict(
        promise=PROMISE,
        outcome="broken",
        reason="a request that was answered with 2xx has no effect, or less than its whole effect",
        evidence=("outputs of m2 in out: none, expected 1 (clean run)",),
        blamed=("m2",),
    )


def test_what_was_handed_over_was_on_the_broker() -> None:
    """That its effect is missing all the same is the business of nothing-lost."""
    happened = SENT.replace("quiet", "deliver m2#1; quiet", 1)
    assert happened != SENT
    assert judged(happened, seen({}, "m1:a")).outcome == "kept"


def test_repeated_request_with_a_second_effect_is_broken() -> None:
    """The idempotency key is what makes it safe to repeat what was not answered with 2xx."""
    assert judged(faulty=seen({}, "m1:a m1:c m2:b")) == Verdict(
        promise=PROMISE,
        outcome="broken",
        reason="a request that was repeated under one idempotency key had more than one effect",
        evidence=("outputs of m1 in out: 2, expected 1 (clean run)",),
        blamed=("m1",),
        surplus=True,
    )


def test_second_effect_of_what_was_asked_once_is_not_charged_here() -> None:
    """Nobody repeated m2; a total may be anybody's unless all were repeated."""
    assert judged(faulty=seen({}, "m1:a m2:b m2:c")).outcome == "kept"
    clean, more = seen({"/stock": 2}), seen({"/stock": 3})
    assert judged(faulty=more, clean=clean).outcome == "kept"
    verdict = judged(SENT.replace("asked m2#1 =202", "asked m2#1 =0; asked m2#1 =202"), more, clean)
    assert (verdict.outcome, verdict.surplus, verdict.blamed) == ("broken", False, ())


def test_second_copy_is_not_charged_here() -> None:
    """Two copies of a message are the business of effects-once."""
    happened = SENT.replace("asked m2", "asked m1#2 =202; published m1#2 auto; asked m2")
    assert judged(happened, seen({}, "m1:a m1:c m2:b")).outcome == "kept"


def test_accepted_message_that_was_set_aside_is_on_the_broker() -> None:
    """A dead letter is no effect, but it is no loss either."""
    assert judged(faulty=seen({}, "m1:a", dead="m2")).outcome == "kept"


@pytest.mark.parametrize("end", ["", "published m2#1! refused;"])
def test_request_that_is_never_accepted_is_unknown(end: str) -> None:
    """It owes no effect, and may have one; but the service was to take it in the end."""
    happened = SENT.replace("asked m2#1 =202; published m2#1 auto;", f"asked m2#1 =503; {end}")
    for outputs in ("m1:a", "m1:a m2:b"):
        assert judged(happened, seen({}, outputs)) == Verdict(
            promise=PROMISE, outcome="unknown", reason="never answered with 2xx: m2 (1 requests)"
        )
    assert judged(happened, seen({}, "m2:b")).blamed == ("m1",)


@pytest.mark.parametrize(
    ("happened", "clean", "reason"),
    [
        ("cut; published m1#1; quiet", BOTH, "no request was sent to the service"),
        (SENT.replace("cut *shop; ", ""), BOTH, NO_FAULT),
        (SENT.replace("cut *shop; ", "").replace("quiet", "cut; quiet"), BOTH, NO_FAULT),
        (SENT, seen(), str(unseen("what was accepted"))),
    ],
    ids=["no requests", "no fault", "fault afterwards", "nothing observed"],
)  # fmt: skip
def test_no_occasion(happened: str, clean: Seen, reason: str) -> None:
    """Without a fault while requests were sent, or an effect to see, nothing is proved."""
    assert judged(happened, clean, clean) == Verdict(
        promise=PROMISE, outcome="unknown", reason=reason, occasion=False
    )


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (SENT.replace("; canary", ""), "no canary kept the time beside the service; missing: "),
        (SENT.replace("quiet", "quiet! m1#1 waits"), "not quiet in time: m1#1 waits"),
        (SENT.replace("quiet", "looped! shop ended"), "given up: shop ended"),
        (SENT.replace("quiet", "unsprung! cut after publish(m1); quiet"), "the trap did not spring: cut"),
    ],
    ids=["no canary", "not quiet", "looped", "unsprung"],
)
def test_unknown(happened: str, reason: str) -> None:
    """What is missing without a witness, or after a run that went wrong, accuses nobody."""
    verdict = judged(happened, seen({}, "m1:a"))
    assert (verdict.outcome, verdict.occasion, verdict.reason[: len(reason)]) == ("unknown", True, reason)
