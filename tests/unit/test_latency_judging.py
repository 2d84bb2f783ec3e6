"""Claims are kept, broken or unknown, and the reason holds what was measured."""

import math

import pytest

from atleastonce.latency.judging import overall
from atleastonce.latency.samples import Measured
from latencies import attempted, judged, samples

TWO = samples(baseline="0.1 0.2", failure="1.6:502 1.7:502")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("baseline.median <= 0.15", "kept"),
        ("baseline.median < 0.15", "broken"),
        ("baseline.success == n", "kept"),
        ("failure.success == n", "broken"),
        ("failure.errors == failure.n", "kept"),
        ("failure.count(502) == n", "kept"),
        ("failure.count(500) != 0", "broken"),
        ("failure.min >= backoff(2, 0.5)", "kept"),
        ("failure.median - baseline.median within backoff(2, 500ms) ± 0.01", "kept"),
        ("failure.median - baseline.median within 1.4 +- 50ms", "broken"),
        ("failure.max / baseline.max within 8.5 ± 0", "kept"),
        ("-(baseline.max * 2) <= -0.4", "kept"),
    ],
)
def test_verdicts(text, outcome):
    """Of comparisons, tolerances and arithmetic."""
    assert judged(text, TWO).outcome == outcome


@pytest.mark.parametrize(
    "text",
    [
        "baseline.max within 0.1 + 0.2 ± 0",
        "baseline.max <= 0.1 + 0.2",
        "baseline.max >= 0.1 + 0.2",
        "baseline.max == 0.1 + 0.2",
    ],
)
def test_binary_fractions_break_nothing(text):
    """0.1 + 0.2 is 0.30000000000000004 to a computer."""
    assert judged(text, samples(baseline="0.3")).outcome == "kept"


@pytest.mark.parametrize("text", ["baseline.max < 0.1 + 0.2", "baseline.max != 0.1 + 0.2"])
def test_nor_do_they_keep_anything(text):
    """What is equal but for them is neither less nor different."""
    assert judged(text, samples(baseline="0.3")).outcome == "broken"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("baseline.median <= 0.1", "baseline.median is 0.150 s, claimed <= 0.100 s (n = 2)"),
        (
            "failure.success == n",
            "failure.success is 0, claimed 2 (n = 2; failure answered 2 x HTTP 502)",
        ),
        (
            "failure.max - baseline.max within 1.4 ± 0.05",
            (
                "failure.max - baseline.max is 1.500 s, claimed 1.400 s ± 0.050 s, 0.050 s beyond that "
                "(failure.max 1.700 s, baseline.max 0.200 s; n = 2; failure answered 2 x HTTP 502)"
            ),
        ),
        (
            "baseline.p95 <= 0.1",
            "baseline.p95 is 0.195 s, claimed <= 0.100 s (n = 2, fewer than the 20 that p95 needs)",
        ),
    ],
)
def test_reasons_hold_what_was_measured(text, reason):
    """And what was claimed."""
    assert judged(text, TWO).reason == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("flaky.success == n", "there are no samples of flaky"),
        (
            "failure.attempts(inventory) == 3",
            "attempts of inventory were not observed, there are samples only",
        ),
        ("baseline.max / baseline.errors > 1", "it divides by zero"),
    ],
)
def test_what_was_not_measured_is_unknown(text, reason):
    """Never kept."""
    verdict = judged(text, TWO)
    assert (verdict.outcome, verdict.reason) == ("unknown", reason)


def test_n_of_different_sizes_is_unknown():
    """A claim about two scenarios names the one that it means."""
    verdict = judged("baseline.success + failure.success == n", samples(baseline="1 1", failure="1"))
    assert verdict.outcome == "unknown"
    assert verdict.reason == (
        "n is not one number (baseline has 2, failure has 1 samples); name it like baseline.n"
    )


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [("3 3", "kept"), ("3 2", "broken"), ("3 4", "broken"), ("3 -", "unknown"), ("3", "unknown")],
)
def test_attempts_of_a_scenario_are_those_of_each_request(counts, outcome):
    """One that had fewer or more is enough to break it, one that was not seen to leave it open."""
    assert judged("failure.attempts(inventory) == 3", attempted(TWO, failure=counts)).outcome == outcome


def test_attempts_without_a_scenario_are_the_most_of_any_request():
    """So a bound holds for all scenarios at once."""
    seen = attempted(TWO, baseline="1 1", failure="3 2")
    assert judged("attempts(inventory) == 3", seen).outcome == "kept"
    assert judged("attempts(inventory) <= 2", seen).outcome == "broken"


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("baseline.median <= 0.1", 0.0, 0.1),
        ("failure.median - baseline.median within 1.5 ± 0.25", 1.4, 1.9),
        ("failure.median >= 1", 1.0, math.inf),
    ],
)
def test_where_a_claim_puts_a_scenario(text, low, high):
    """For the plot: in seconds, whatever is subtracted added again."""
    band = judged(text, TWO).band
    assert band is not None
    assert band.scenario == text.partition(".")[0]
    assert (band.low, band.high) == pytest.approx((low, high))


def test_claims_that_put_times_nowhere():
    """Counts have no place on an axis of seconds."""
    assert [judged(text, TWO).band for text in ("baseline.n == n", "failure.max != 1")] == [None, None]


def test_all_claims_together():
    """Broken if any is, else unknown if any is, or if there are none."""
    kept, broken, unknown = (
        judged(text, TWO) for text in ("baseline.n == 2", "baseline.n == 3", "flaky.n == 1")
    )
    assert [overall(each) for each in ([kept, unknown, broken], [kept, unknown], [kept], [])] == [
        "broken",
        "unknown",
        "kept",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("text", "late", "outcome"),
    [
        ("baseline.median <= 0.1", 0.0001, "broken"),
        ("baseline.median <= 0.1", 0.0017, "unknown"),
        ("baseline.median <= 0.2", 0.0017, "kept"),
        ("failure.max - baseline.max within 1.4 ± 0.05", 0.0017, "unknown"),
        ("failure.min >= 1.61", 1.0, "broken"),
        ("failure.success == n", 1.0, "broken"),
    ],
)
def test_a_slow_machine_makes_unknowns(text, late, outcome):
    """Where it may be to blame: not for what came too early, and not for what was answered."""
    measured = Measured(TWO.samples, late={"baseline": late, "failure": late})
    assert judged(text, measured).outcome == outcome
