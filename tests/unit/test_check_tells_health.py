"""tells-health: the health endpoint is unhealthy while the service cannot consume, and healthy afterwards."""

import pytest

from atleastonce.checks import tells_health
from atleastonce.schedule import Trap
from atleastonce.verdict import Verdict
from histories import history, seen

PROMISE = "tells-health"
TOLD = (
    "health *shop =200; isolated *shop =2; health *shop =503 +0.3; mended *shop; health *shop =200 +1.5; "
    "published sentinel#1; quiet"
)
BLIND = TOLD.replace("health *shop =503 +0.3", "canary +10")
UNTOLD = "the health endpoint did not turn unhealthy"
UNTOLD_AGAIN = "the health endpoint did not turn healthy again"
SICK = TOLD.replace("health *shop =200 +1.5", "canary +10")


def judged(happened: str) -> Verdict:
    """Judge a history of which nothing could be observed: it takes none of that."""
    given = history(happened, seen(), None, promised={PROMISE: {"within": 10.0}})
    return tells_health.check(given)


def broken(reason: str, evidence: str) -> Verdict:
    """Return the verdict that accuses for this reason."""
    return Verdict(promise=PROMISE, outcome="broken", reason=reason, evidence=(evidence,))


@pytest.mark.parametrize(("status", "said"), [("503", "503"), ("0", "nothing")])
@pytest.mark.parametrize("end", ["quiet", "quiet! m1#1 waits", "looped! m1#1 was delivered 12 times"])
def test_endpoint_that_tells_the_truth_is_kept(status: str, said: str, end: str) -> None:
    """No answer is an unhealthy one; whether the case became quiet does not matter."""
    assert judged(TOLD.replace("503", status).replace("quiet", end)) == Verdict(
        promise=PROMISE,
        outcome="kept",
        reason=f"unhealthy ({said}) 0.3 s after it was cut off, healthy 1.5 s after it could consume again",
    )


def test_endpoint_that_stays_healthy_is_broken() -> None:
    """The consumer is dead, and /health says 200; other services' health is their own."""
    reason = "it could not consume, and its health endpoint did not say so"
    for happened in (BLIND, BLIND.replace("canary", "health *other =503; canary")):
        assert judged(happened).reason == reason
    assert judged(BLIND) == broken(reason, "waited 10 s: it did not change")


def test_endpoint_that_stays_unhealthy_is_broken() -> None:
    """Consuming again, and still taken out of service."""
    assert judged(SICK) == broken(
        "it could consume again, and its health endpoint did not say so", "waited 10 s: it said 503"
    )
    assert judged(SICK.replace("canary", "exit *shop; start *shop; canary")) == judged(SICK)


DEAF = "published m1#1; deliver m1#1 *shop >in; ack m1#1 *shop; " + TOLD.replace(
    "quiet", "canary +10; quiet! sentinel#1 waits"
)


def test_endpoint_of_a_service_that_forgot_a_queue_is_broken() -> None:
    """It is connected again, subscribes to one of two queues, and says 200."""
    deaf = DEAF.replace("mended *shop", "mended *shop; consume *shop >other")
    assert judged(deaf) == broken(
        "it said that it could consume, and does not read any more what it read before",
        "waited 10 s: it said 200",
    )
    assert judged(deaf.replace("canary +10", "canary! 9 s +10")).outcome == "unknown"


@pytest.mark.parametrize(
    "happened",
    [
        DEAF.replace("mended *shop", "mended *shop; consume *shop >in"),
        DEAF.replace("canary", "deliver sentinel#1 *shop >in; canary"),
        DEAF.replace("canary", "deliver sentinel#1 *shop >in; ack sentinel#1 *shop; canary"),
        DEAF.replace("quiet!", "health *shop =503; quiet!"),
        DEAF.replace("deliver m1#1 *shop >in; ack m1#1 *shop; ", ""),
    ],
    ids=["subscribed", "in hand", "read", "sick again", "never read"],
)
def test_endpoint_of_a_service_that_reads_is_kept(happened: str) -> None:
    """What else keeps a case from becoming quiet is not for the endpoint to say."""
    assert judged(happened).outcome == "kept"


def test_each_time_counts() -> None:
    """A service that told the truth once must do so again."""
    assert judged(f"{TOLD}; isolated *shop =1; canary; mended *shop").outcome == "broken"


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        ("cut *shop; quiet", "the service was not cut off"),
        (TOLD.replace("=2", "=0"), "the service had no link that could be cut"),
        (TOLD.replace("isolated *shop", "isolated *till"), "what was cut off has no health endpoint"),
        (
            TOLD.replace("=200; iso", "=0; iso").replace("; mended", "; exit *shop; mended"),
            "the health endpoint said nothing before the service was cut off, which had ended by itself",
        ),
    ],
)
def test_no_occasion(happened: str, reason: str) -> None:
    """A service that could consume all the time owes nothing."""
    assert judged(happened) == Verdict(promise=PROMISE, outcome="unknown", reason=reason, occasion=False)


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (TOLD.replace("=200; iso", "=500; iso"), "the health endpoint said 500 before the service was cut off"),
        (BLIND.replace("canary +10", "canary! 9 s"), f"the machine was too slow for the canary too (9 s); {UNTOLD}"),
        (BLIND.replace("canary +10;", ""), f"no canary kept the time beside the service; {UNTOLD}"),
        (BLIND.replace("canary +10;", "") + "; canary", f"no canary kept the time beside the service; {UNTOLD}"),
        (SICK.replace("canary +10;", ""), f"no canary kept the time beside the service; {UNTOLD_AGAIN}"),
        (TOLD.partition("; mended")[0], "the history ends while the service was cut off"),
        (TOLD.replace("quiet", "recorder! full"), "the recorder failed: full"),
        (
            SICK.replace("canary +10", "exit *shop +7; start *shop; canary +9.9"),
            "it had ended by itself, and had 9.9 of 10 s from its next start to turn healthy again",
        ),
    ],
    ids=[
        "sick before", "slow machine", "no canary", "canary too late", "no second canary", "never mended", "recorder",
        "ended",
    ],
)  # fmt: skip
def test_unknown(happened: str, reason: str) -> None:
    """A change that is missing without a witness, or cannot be seen, accuses nobody."""
    assert judged(happened) == Verdict(promise=PROMISE, outcome="unknown", reason=reason)


def test_trap_that_did_not_spring_is_unknown() -> None:
    """A run that did not go as planned proves nothing."""
    trap = Trap(when="before", event="ack", message="m1", do="cut")
    given = history(TOLD, seen(), None, traps=(trap,))
    assert tells_health.check(given).reason == "the trap did not spring: cut before ack(m1)"
