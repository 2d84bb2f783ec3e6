"""The language of claims: what is one, what it means, and what is said of everything else."""

import pytest

from atleastonce.errors import ClaimError
from atleastonce.latency.claims import Attempted, Backoff, Binary, Counted, Measure, Number, Requests
from latencies import claim

BASELINE = Measure("baseline", "median")


@pytest.mark.parametrize(
    ("text", "left", "relation", "right"),
    [
        ("baseline.median <= 0.1", BASELINE, "<=", Number(0.1)),
        ("baseline.success == n", Measure("baseline", "success"), "==", Requests()),
        ("failure.p50 >= backoff(2, 0.5)", Measure("failure", "p50"), ">=", Backoff(2, 0.5)),
        ("attempts(inventory) == 3", Attempted(None, "inventory"), "==", Number(3)),
        ("failure.attempts(inventory)!=0", Attempted("failure", "inventory"), "!=", Number(0)),
        ("failure.count(502) > 0", Counted("failure", 502), ">", Number(0)),
        ("baseline.p99_9 < 250ms", Measure("baseline", "p99_9"), "<", Number(0.25, seconds=True)),
    ],
)
def test_comparisons(text, left, relation, right):
    """Two sides with a comparison between them."""
    parsed = claim(text)
    assert (parsed.left, parsed.relation, parsed.right, parsed.tolerance) == (left, relation, right, None)


@pytest.mark.parametrize("sign", ["±", "+-", "+/-"])
def test_within_has_a_tolerance(sign):
    """Which may be written with the letters of any keyboard."""
    parsed = claim(f"delay_2s.median - baseline.median within 2.0 {sign} 0.05")
    assert parsed.left == Binary("-", Measure("delay_2s", "median"), BASELINE)
    assert (parsed.relation, parsed.right, parsed.tolerance) == ("within", Number(2.0), Number(0.05))


def test_products_bind_closer_and_sums_from_the_left():
    """As in arithmetic."""
    minus = Binary("-", BASELINE, Number(1))
    assert claim("baseline.median - 1 - 2 * 3 < 4").left == Binary(
        "-", minus, Binary("*", Number(2), Number(3))
    )
    assert str(claim("2 * (baseline.median - 1) < 4").left) == "2 * (baseline.median - 1)"


@pytest.mark.parametrize(
    ("text", "waits"), [("2, 0.5", (0.5, 1.0)), ("3, 1s, 3", (1.0, 3.0, 9.0)), ("0, 1", ())]
)
def test_backoff_is_the_sum_of_its_waits(text, waits):
    """So many, the first so long, each by a factor longer than the last."""
    right = claim(f"failure.max >= backoff({text})").right
    assert isinstance(right, Backoff)
    assert right.waits == waits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "at 1: found the end, expected a number, SCENARIO.MEASURE"),
        ("baseline.medain <= 1", 'at 10: found "medain"; there is no such measure; did you mean "median"?'),
        ("basline.median <= 1", 'at 1: found "basline"; there is no such scenario; did you mean "baseline"?'),
        ("attempts(stock) == 3", 'at 10: found "stock"; there is no such service; there are inventory'),
        ("baseline.median", "at 16: found the end, expected one of <= >= == != < > or within"),
        ("baseline.median <= ", "at 20: found the end, expected a number"),
        ("baseline.median <= 1 2", 'at 22: found "2", expected the end of the claim'),
        ("baseline.median within 1", "at 25: found the end, expected ± (or +-)"),
        ("(baseline.median <= 1", 'at 18: found "<=", expected )'),
        ("failure.count(9) == 1", 'at 15: found "9", expected an HTTP status'),
        ("failure.p50 > backoff(0.5, 2)", 'at 23: found "0.5", expected how often it waits'),
        ("failure.p50 > backoff(2)", 'at 24: found ")", expected ,'),
        ("baseline <= 1", 'at 10: found "<=", expected a dot and what of it: min, avg'),
        ("foo(1) > 2", 'at 1: found "foo"; there is no such name'),
        ("baseline.median <= 1; 2", 'at 21: found ";", expected the end of the claim'),
        ("__import__('os') == 1", "there is no such name"),
        ("1 <= 2", "found nothing that is measured"),
        ("attempts(inventory) == n", "n is the number of requests of a scenario, and the claim names none"),
        ("baseline.p101 < 1", 'found "p101"; there is no such measure'),
        ("-" * 41 + "baseline.p50 < 1", "expected no more than 40 brackets inside each other"),
        ("baseline.p50 < 1" + "0" * 20, "expected a number of at most 1000000000"),
        ("baseline.p50 < 1" + " " * 500, "found a claim of 516 letters, expected 500 at the most"),
    ],
)
def test_what_is_no_claim_is_said_with_its_position(text, said):
    """Where it stops, what stands there, and what is known there."""
    with pytest.raises(ClaimError) as caught:
        claim(text)
    assert said in str(caught.value)
