"""Whatever is written as a claim, or as samples, is understood or refused in our own words."""

import contextlib
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from atleastonce.errors import ClaimError, SamplesError
from atleastonce.latency.grammar import MEASURES, parse_claim
from atleastonce.latency.judging import judge
from atleastonce.latency.samples import parsed
from atleastonce.latency.statistics import percentile
from latencies import KNOWN, samples

WORDS = st.sampled_from(
    [*KNOWN.scenarios, *KNOWN.services, *MEASURES, "p95", "attempts", "backoff", "count", "within", "n", "ms",
     "±", "+-", "<=", "==", "<", "(", ")", ".", ",", "+", "-", "*", "/", "0", "2", "0.5", "502", "1s", " "]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=30).map("".join))
MEASURED = samples(baseline="0.1 0.2 0.3:502", failure="1 2:0")


@settings(max_examples=1000)
@given(TEXTS)
def test_text_is_a_claim_or_refused(text):
    """Nothing else is ever raised, and a claim that is understood can be judged."""
    with contextlib.suppress(ClaimError):
        (verdict,) = judge({"it": parse_claim(text, KNOWN)}, MEASURED)
        assert verdict.outcome in ("kept", "broken", "unknown")
        assert verdict.reason


NUMBERS = st.sampled_from(["0.5", "2", "3s", "n", "baseline.median", "failure.p95", "backoff(2, 0.5)"])
SUMS = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("-{}".format),
    ),
    max_leaves=8,
)


@given(SUMS, st.sampled_from(["<=", ">", "within"]), SUMS)
def test_a_claim_says_itself_again(left, relation, right):
    """What a claim prints is parsed into the same claim: reports name what was judged."""
    more = " ± 0.1" if relation == "within" else ""
    with contextlib.suppress(ClaimError):  # one that names nothing measured
        claim = parse_claim(f"{left} {relation} {right}{more}", KNOWN)
        again = parse_claim(f"{claim.left} {relation} {claim.right}{more}", KNOWN)
        assert (again.left, again.right) == (claim.left, claim.right)


@given(st.text(max_size=200))
def test_text_is_samples_or_refused(text):
    """Nothing else is ever raised."""
    for content in (text, "scenario,request,seconds,status\n" + text):
        with contextlib.suppress(SamplesError):
            assert all(math.isfinite(sample.seconds) for sample in parsed(content))


@given(st.lists(st.floats(0, 1e6), min_size=1).map(sorted), st.floats(0, 100), st.floats(0, 100))
def test_percentiles_grow_and_stay_inside(ordered, one, other):
    """From the least value to the greatest."""
    low, high = (percentile(ordered, percent) for percent in sorted((one, other)))
    assert ordered[0] - 1e-6 <= low <= high + 1e-6
    assert high <= ordered[-1] + 1e-6
