"""A notation for samples and scenario files, which the tests of latencies share."""

from pathlib import Path

from atleastonce.latency.claims import Claim
from atleastonce.latency.grammar import Known, parse_claim
from atleastonce.latency.judging import ClaimVerdict, judge
from atleastonce.latency.samples import Attempts, Measured, Sample

ORIGINAL = Path(__file__).parent / "data" / "original-latency.csv"
KNOWN = Known(("baseline", "delay_2s", "failure", "flaky"), ("inventory",))

SMALL = """
[request]
address = "http://127.0.0.1:8000/order"
[scenarios.baseline]
[scenarios.failure]
query = {{ fail = "500" }}
[claims]
{claims}
"""


def claim(text: str) -> Claim:
    """Parse a claim about the scenarios and services of `KNOWN`."""
    return parse_claim(text, KNOWN)


def samples(**times: str) -> Measured:
    """Return samples: ``baseline="0.1 0.2:502"`` are two, answered 200 and 502."""
    made = []
    for scenario, text in times.items():
        for number, word in enumerate(text.split(), start=1):
            seconds, _, status = word.partition(":")
            made.append(Sample(scenario, number, float(seconds), int(status or 200)))
    return Measured(tuple(made))


def attempted(measured: Measured, **counts: str) -> Measured:
    """Add what inventory saw: ``failure="3 3"`` are three attempts for each of two requests; ``-`` is unseen."""
    seen = []
    for scenario, text in counts.items():
        for number, word in enumerate(text.split(), start=1):
            known = {"problem": "no answer"} if word == "-" else {"count": int(word)}
            seen.append(Attempts(scenario, number, "inventory", **known))
    return Measured(measured.samples, tuple(seen), ("inventory",))


def judged(text: str, measured: Measured) -> ClaimVerdict:
    """Judge one claim."""
    (verdict,) = judge({"it": claim(text)}, measured)
    return verdict
