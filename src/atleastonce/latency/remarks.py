"""What the samples say beyond the claims: why a claim is broken, as far as the figures show it."""

from collections.abc import Iterator, Mapping, Sequence

from atleastonce.latency.claims import Backoff, Measure
from atleastonce.latency.judging import ClaimVerdict
from atleastonce.latency.scenario import Scenario
from atleastonce.latency.statistics import NO_ANSWER, Summary, answers, seconds

_HOP = 2.0
"""Seconds that a connection to an unreachable address may take before the next address is tried."""
_NEAR, _TIGHT = 0.1, 0.1
_SLOW = 1.0


def remarks(
    scenarios: Mapping[str, Scenario], summaries: Sequence[Summary], verdicts: Sequence[ClaimVerdict]
) -> list[str]:
    """Return what is worth saying, a paragraph each."""
    found = {summary.scenario: summary for summary in summaries}
    broken = [verdict for verdict in verdicts if verdict.outcome == "broken"]
    return [
        *_slow_without_reason(scenarios, found, broken),
        *_faster_than_its_waits(found, broken),
        *_errors_as_successes(found, broken),
        *_no_answers(summaries),
        *_not_judged(verdicts),
    ]


def _slow_without_reason(
    scenarios: Mapping[str, Scenario], found: Mapping[str, Summary], broken: Sequence[ClaimVerdict]
) -> Iterator[str]:
    """Yield a remark on whole seconds that nobody asked for."""
    named = {name for verdict in broken for name in verdict.claim.scenarios}
    for name, scenario in scenarios.items():
        summary = found.get(name)
        if summary is None or name not in named or scenario.query or summary.min < _SLOW:
            continue
        hops = round(summary.median / _HOP)
        fixed = summary.max - summary.min < _TIGHT * summary.median
        if fixed and hops and abs(summary.median / _HOP - hops) < _NEAR:
            yield (
                f"{name} injects nothing, and still no request took less than {seconds(summary.min)} s. "
                f"The times lie within {seconds(summary.max - summary.min)} s of each other and are about "
                f"{hops} times two seconds: that looks like a fixed wait, not like work. Two seconds per hop is what "
                "a name costs that resolves to an unreachable IPv6 address first, as localhost may: use 127.0.0.1."
            )


def _faster_than_its_waits(found: Mapping[str, Summary], broken: Sequence[ClaimVerdict]) -> Iterator[str]:
    """Yield a remark on a scenario that should have waited longer than another one, and was faster."""
    for claim in (verdict.claim for verdict in broken):
        waits = sum(sum(leaf.waits) for leaf in claim.leaves if isinstance(leaf, Backoff))
        named = [leaf.scenario for leaf in claim.leaves if isinstance(leaf, Measure) and leaf.seconds]
        pair = [found[name] for name in dict.fromkeys(named)]
        if waits and len(pair) == 2 and pair[0].median < pair[1].median:  # noqa: PLR2004 - one against the other
            waited, plain = pair
            yield (
                f"{waited.scenario} was answered faster than {plain.scenario}: median {seconds(waited.median)} s "
                f"against {seconds(plain.median)} s. With waits of {seconds(waits)} s on top it would have to be "
                f"slower: unless work of {plain.scenario} that takes longer than them falls away, nothing waited."
            )


def _errors_as_successes(found: Mapping[str, Summary], broken: Sequence[ClaimVerdict]) -> Iterator[str]:
    """Yield a remark on answers that somebody took for successes."""
    claimed = {
        leaf.scenario: None
        for verdict in broken
        for leaf in verdict.claim.measures
        if isinstance(leaf, Measure) and leaf.what == "success"
    }
    for name in claimed:
        if found[name].errors:
            yield (
                f"{name} was answered {answers(found[name].statuses)}. Success counts 2xx and nothing else; "
                "that an answer came does not make it one."
            )


def _no_answers(summaries: Sequence[Summary]) -> Iterator[str]:
    """Yield a remark on times that are not those of answers."""
    for summary in summaries:
        if missing := dict(summary.statuses).get(NO_ANSWER, 0):
            yield (
                f"{missing} of {summary.n} requests of {summary.scenario} got no answer; their times are those until "
                "the connection failed or was given up."
            )


def _not_judged(verdicts: Sequence[ClaimVerdict]) -> Iterator[str]:
    unknown = [verdict.name for verdict in verdicts if verdict.outcome == "unknown"]
    if unknown:
        names = "; ".join(f"“{name}”" for name in unknown)
        yield f"Not judged, and therefore not kept: {names}."
