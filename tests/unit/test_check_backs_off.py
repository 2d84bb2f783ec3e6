"""backs-off: attempts on what keeps failing follow the declared schedule, and then stop."""

from typing import Any

import pytest

from atleastonce.checks import backs_off
from atleastonce.verdict import Verdict
from histories import history, seen

PROMISE = "backs-off"
DECLARED = {"attempts": 4, "schedule": [0.1, 1.0], "jitter": 0.1, "tolerance": 0.05}


def tried(*gaps: float, end: str = "reject p1#1; quiet") -> str:
    """Return a history of a poison that was tried again after these gaps."""
    again = "".join(f"requeue p1#1; deliver p1#1 again +{gap}; " for gap in gaps)
    return f"published p1#1; deliver p1#1; {again}{end}"


def judged(happened: str, dead: str = "p1", declared: dict[str, Any] = DECLARED) -> Verdict:
    """Judge a history in which four attempts are declared, a tenth of a second and then a second apart."""
    return backs_off.check(history(happened, seen(), seen(dead=dead), promised={PROMISE: declared}))


def broken(reason: str, evidence: str, *, surplus: bool = False) -> Verdict:
    """Return the verdict that accuses for this reason."""
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=reason,
        evidence=(evidence,),
        blamed=("p1",),
        surplus=surplus,
    )


def test_declared_attempts_are_kept() -> None:
    """As many as declared and as far apart; the last gap repeats."""
    assert judged(tried(0.1, 1.0, 1.1)) == Verdict(
        promise=PROMISE,
        outcome="kept",
        reason="p1#1 was tried 4 times, 0.10 s, 1.00 s, 1.10 s apart, as declared",
    )


@pytest.mark.parametrize(
    ("second", "outcome"),
    [("0.9", "kept"), ("0.1", "broken")],
)
def test_record_of_a_topic_of_retries_may_be_read_before_its_time(second: str, outcome: str) -> None:
    """Read, put back, and tried once it is due; what is wrong either way is broken."""
    hop = "produce p1#1 >retry; fetch p1#1 >retry &{0} +0.01; fetch p1#1 >retry &{0} +{1}; "
    later = "".join(hop.format(n, gap) for n, gap in enumerate(("0.09", second, "0.99")))
    happened = f"published p1#1; fetch p1#1 >in &0; {later}response p1#1; quiet; canary"
    declared = {**DECLARED, "tolerance": 0.1}
    assert judged(happened, declared=declared).outcome == outcome


@pytest.mark.parametrize(
    ("second", "late", "outcome"),
    [
        ("0.99", "", "kept"),
        ("0.99", "! 9 s", "kept"),
        ("0.1", "", "broken"),
        ("0.1", "! 9 s", "unknown"),
        ("1.9", "", "broken"),
    ],
)
def test_record_of_a_topic_of_retries_may_be_held_until_it_is_due(
    second: str, late: str, outcome: str
) -> None:
    """It is read at once, and tried later: what is passed on then says when that was.

    Where one way to see it is as declared, that the machine was too slow to accuse another one is no doubt.
    """
    hop = "produce p1#1 >retry; fetch p1#1 >retry &{0} +0.01; "
    held = "".join(hop.format(n) + f"commit p1#1 +{gap}; " for n, gap in enumerate(("0.09", second, "0.99")))
    happened = f"published p1#1; fetch p1#1 >in &0; {held}produce p1#1 >dead; response p1#1; quiet; canary"
    assert judged(happened + late).outcome == outcome


@pytest.mark.parametrize("end", ["reject p1#1; quiet", "looped! p1#1", "quiet! p1#1 waits"])
def test_endless_attempts_are_broken(end: str) -> None:
    """One attempt more than declared was seen, whether or not it ever came to an end."""
    assert judged(tried(0.1, 1, 1, 1, end=end)) == broken(
        "endless: it is tried more often than declared", "p1#1 was tried 5 times, 4 declared", surplus=True
    )


def test_attempts_that_stop_early_are_broken() -> None:
    """Set aside, or settled for good while a canary watched, before all attempts were made."""
    early = broken(
        "it stops early: it is tried less often than declared", "p1#1 was tried 2 times, 4 declared"
    )
    assert judged(tried(0.1)) == early
    assert judged(tried(0.1) + "; canary", dead="") == early
    assert judged(tried(0.1), dead="").reason == (
        "no canary kept the time beside the service; p1#1 was tried 2 times"
    )


def test_gap_that_is_too_short_is_broken() -> None:
    """Hot, unless the canary shows that times mean nothing on this machine."""
    said = "gap 2 of p1#1: 0.100 s, at least 0.850 s declared"
    assert judged(tried(0.1, 0.1, 1.0)) == broken("hot: it is tried again sooner than declared", said)
    assert judged(tried(0.1, 0.1, 1.0) + "; canary! 9 s").reason == (
        f"the machine was too slow for the canary too (9 s); {said}"
    )


def test_gap_that_is_too_long_is_broken_where_the_canary_was_in_time() -> None:
    """A slow machine delays an attempt as a slow service does."""
    said = "gap 1 of p1#1: 0.300 s, at most 0.160 s declared"
    assert judged(tried(0.3, 1.0, 1.0) + "; canary") == broken("it is tried again later than declared", said)
    assert judged(tried(0.3, 1.0, 1.0)) == Verdict(
        promise=PROMISE,
        outcome="unknown",
        reason=f"no canary kept the time beside the service; {said}",
    )


@pytest.mark.parametrize("gap", [0.041, 0.159])
def test_jitter_and_tolerance_are_allowed(gap: float) -> None:
    """Both ends of what is declared belong to it."""
    assert judged(tried(gap, 1.0, 1.0)).outcome == "kept"


def test_without_declared_gaps_only_attempts_count() -> None:
    """An empty schedule says nothing of when."""
    assert judged(tried(0, 9, 0), declared={"attempts": 4, "schedule": []}).outcome == "kept"


def test_kafka_fetches_several_poisons_with_each_other() -> None:
    """A fetch is an attempt only where it can be no other message's."""
    fetches = "; ".join(["fetch p1#1"] * 5)
    both = f"published p1#1; {fetches}; published p2#1; {fetches.replace('p1', 'p2')}; quiet"
    assert judged(both).occasion is False
    assert judged(f"published p1#1; {fetches}; quiet").outcome == "broken"


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        ("published m1#1; deliver m1#1; ack m1#1; quiet", "no message was sent that keeps failing"),
        (tried(), "nothing was tried again"),
        (tried(9, end="closed; quiet"), "messages may have been given back (closed)"),
        (tried(9, end="kill; quiet"), "messages may have been given back (kill)"),
        (tried(9, end="exit; quiet"), "messages may have been given back (exit)"),
    ],
    ids=["no poison", "rejected at once", "closed", "kill", "exit"],
)
def test_no_occasion(happened: str, reason: str) -> None:
    """Only what the service itself tried again has gaps of its own."""
    assert judged(happened) == Verdict(promise=PROMISE, outcome="unknown", reason=reason, occasion=False)


def test_nothing_declared_is_no_occasion() -> None:
    """A contract without attempts promises none."""
    assert judged(tried(9), declared={}).reason == "the contract declares no attempts"


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (tried(0.1, end="quiet! p1#1 waits"), "not quiet in time: p1#1 waits"),
        (tried(0.1, end="looped! shop ended"), "given up: shop ended"),
        (tried(9, end="recorder! full; quiet"), "the recorder failed: full"),
    ],
)
def test_unknown(happened: str, reason: str) -> None:
    """Attempts that may still come are not missing."""
    assert judged(happened) == Verdict(promise=PROMISE, outcome="unknown", reason=reason)
