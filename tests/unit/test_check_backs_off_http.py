"""backs-off, of what services ask each other over HTTP."""

from typing import Any

import pytest

from atleastonce.checks import backs_off
from atleastonce.schedule import Action
from atleastonce.verdict import Verdict
from histories import history, seen

PROMISE = "backs-off"
DECLARED = {"attempts": 3, "schedule": [0.1, 1.0], "jitter": 0.1, "tolerance": 0.05, "calls": ["depot"]}
REFUSED = "request m1 *shop ^depot{}! ; response m1 *shop ^depot =503"
UNLIKE = (
    "request m1 *shop ^depot! key a, body b; response m1 *shop ^depot =503; "
    "request m1 *shop ^depot: key c, body d; response m1 *shop ^depot =200; quiet"
)
GIVEN_UP = "asked m1#1 =502; declined m1#1 =502; quiet"


def tried(*gaps: float, end: str = GIVEN_UP) -> str:
    """Return a history in which the depot refuses everything, and is asked again after these gaps."""
    return "; ".join((REFUSED.format(""), *(REFUSED.format(f" +{gap}") for gap in gaps), end))


def judged(happened: str, declared: dict[str, Any] = DECLARED) -> Verdict:
    """Judge a history in which three attempts are declared, a tenth of a second and then a second apart."""
    return backs_off.check(history(happened, seen(), seen(), promised={PROMISE: declared}))


def broken(reason: str, evidence: str, *, surplus: bool = False) -> Verdict:
    """Return the verdict that accuses for this reason."""
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=reason,
        evidence=(evidence,),
        blamed=("m1",),
        surplus=surplus,
    )


def test_declared_attempts_are_kept() -> None:
    """As many as declared and as far apart."""
    assert judged(tried(0.1, 1.0)) == Verdict(
        promise=PROMISE,
        outcome="kept",
        reason="depot  for m1 was tried 3 times, 0.10 s, 1.00 s apart, as declared",
    )


def test_attempts_for_requests_at_the_same_time_are_not_judged() -> None:
    """Each of them may be what the depot is asked for; nothing tells which attempt belongs to which."""
    burst = history(tried(0.0), seen(), seen(), actions=(Action(burst="m1"),), promised={PROMISE: DECLARED})
    found = backs_off.check(burst)
    assert (found.outcome, found.occasion) == ("unknown", False)
    assert found.reason.startswith("of requests of ours at the same time")


def test_attempts_may_end_with_success() -> None:
    """Who succeeds need not try as often as it might."""
    good = "request m1 *shop ^depot +0.1; response m1 *shop ^depot =200; asked m1#1 =200; quiet"
    assert judged(tried(end=good)).outcome == "kept"


def test_gaps_are_between_the_end_of_an_attempt_and_the_next() -> None:
    """However long it took."""
    slow = "request m1 *shop ^depot; response m1 *shop ^depot =500 +9; request m1 *shop ^depot +0.1; "
    assert judged(f"{slow}response m1 *shop ^depot =200; asked m1#1 =200; quiet").outcome == "kept"


def test_gap_behind_an_attempt_without_a_known_end_is_not_judged() -> None:
    """A client may close a connection that it has given up on at any time."""
    gone = "request m1 *shop ^depot @1; request m1 *shop ^depot @2; closed *shop ^depot @1; "
    assert judged(f"{gone}response m1 *shop ^depot =200 @2; asked m1#1 =200; quiet").reason == (
        "depot  for m1 was tried 2 times, ? apart, as declared"
    )


def test_endless_attempts_are_broken() -> None:
    """One more than declared was seen."""
    assert judged(tried(0.1, 1, 1)) == broken(
        "endless: it is tried more often than declared",
        "depot  for m1 was tried 4 times, 3 declared",
        surplus=True,
    )


def test_attempts_that_stop_early_are_broken() -> None:
    """The service has answered with an error itself; otherwise it takes a witness."""
    early = broken(
        "it stops early: it is tried less often than declared", "depot  for m1 was tried once, 3 declared"
    )
    assert judged(tried()) == early
    assert judged(tried(end="quiet; canary")) == early
    assert judged(tried(end="quiet")).outcome == "unknown"


def test_what_was_cut_need_not_be_tried_again() -> None:
    """It may have been done: a service may rather ask nobody a second time."""
    cut = "request m1 *shop ^depot @1; cut *shop ^depot @1; asked m1#1 =502; asked m1#1 =200; quiet"
    assert judged(cut).occasion is False


def test_gap_that_is_too_short_is_broken() -> None:
    """Hot, unless the canary shows that times mean nothing on this machine."""
    said = "gap 2 of depot  for m1: 0.100 s, at least 0.850 s declared"
    assert judged(tried(0.1, 0.1)) == broken("hot: it is tried again sooner than declared", said)
    assert judged(tried(0.1, 0.1) + "; canary! 9 s").outcome == "unknown"


def test_gap_that_is_too_long_is_broken_where_the_canary_was_in_time() -> None:
    """A slow machine delays an attempt as a slow service does."""
    said = "gap 1 of depot  for m1: 0.300 s, at most 0.160 s declared"
    assert judged(tried(0.3, 1.0) + "; canary") == broken("it is tried again later than declared", said)
    assert judged(tried(0.3, 1.0)).reason == f"no canary kept the time beside the service; {said}"


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (tried(9).replace("depot", "mail"), "no service asked another one again"),
        (
            "request m1 *shop ^depot; response m1 *shop ^depot =200; quiet",
            "no service asked another one again",
        ),
        (
            UNLIKE,
            "what was asked for again may be something else, by its key and its body",
        ),
        (f"{REFUSED.format('')}; kill *shop; start *shop; quiet", "shop ended meanwhile (kill)"),
    ],
    ids=["another call", "no failure", "another thing", "killed"],
)
def test_no_occasion(happened: str, reason: str) -> None:
    """Nothing failed that is declared, or not every attempt is the service's own."""
    verdict = judged(happened)
    assert (verdict.outcome, verdict.reason, verdict.occasion) == ("unknown", reason, False)
