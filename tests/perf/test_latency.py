"""The synchronous chain of the reference: its scenarios, and what it costs beside a chain that does nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from statistics import median

import msgspec
import pytest
from comparing import at_most

from atleastonce.latency.samples import Measured
from atleastonce.latency.scenario import Latency, Scenario
from atleastonce.latency.scenario_file import load
from atleastonce.lifetimes import Lifetime
from atleastonce.measuring.fleet import Fleet, standing
from atleastonce.measuring.requests import measure

pytestmark = [pytest.mark.perf, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
PART_A = Path(str(resources.files("campus_food").joinpath("scenarios", "part_a.toml")))
BACKOFF = 1.5
PAIRS = 10
ANSWERS = {"baseline": 200, "delay_2s": 200, "failure": 502, "flaky": 200}


@contextmanager
def stands(path: Path, client: str = "") -> Iterator[tuple[Latency, Fleet]]:
    """Start the services of a file, with nothing between them: a passage would be measured, too."""
    latency = load(path).latency
    services = {
        name: msgspec.structs.replace(each, watch="", command=each.command.replace("CLIENT", client))
        for name, each in latency.services.items()
    }
    latency = msgspec.structs.replace(latency, services=services)
    with Lifetime() as lifetime, standing(services, lifetime, path.parent) as fleet:
        yield latency, fleet


def measured(latency: Latency, fleet: Fleet, scenario: str, requests: int) -> Measured:
    """Carry out one scenario of a file."""
    chosen = {scenario: msgspec.structs.replace(latency.scenarios[scenario], requests=requests)}
    only = msgspec.structs.replace(latency, scenarios=chosen)
    assert only.request is not None
    return measure(only, only.request, fleet, lambda _sample, _requests, _ended: None)


def times(latency: Latency, fleet: Fleet, requests: int = Scenario().requests) -> float:
    """Return the median of the baseline in seconds."""
    return median(sample.seconds for sample in measured(latency, fleet, "baseline", requests).samples)


@pytest.mark.parametrize("scenario", ANSWERS)
def test_scenario(benchmark, figures, scenario):
    """Ten requests, each a round; the first connection and the first statements are not among them."""
    with stands(PART_A) as (latency, fleet):
        measured(latency, fleet, "baseline", 20)
        found = benchmark.pedantic(
            measured, args=(latency, fleet, scenario, 1), rounds=10, iterations=1, warmup_rounds=0
        )
    assert [sample.status for sample in found.samples] == [ANSWERS[scenario]]
    figures[f"{scenario}: median, s"] = benchmark.stats.stats.median
    if scenario in ("failure", "flaky"):
        figures[f"{scenario}: median beyond the backoff, ms"] = (
            benchmark.stats.stats.median - BACKOFF
        ) * 1000


@pytest.mark.parametrize("client", ["httpx", "urllib3"])
def test_baseline_against_a_bare_chain(benchmark, figures, compared, client):
    """Pairs of runs, one right behind the other, so that a busy machine slows both."""
    with stands(PART_A) as ours, stands(HERE / "bare_chain.toml", client) as bare:
        for chain in (ours, bare):
            times(*chain, requests=100)
        pairs = [(times(*ours, requests=50), times(*bare, requests=50)) for _ in range(PAIRS)]
        benchmark.pedantic(times, args=ours, kwargs={"requests": 1}, rounds=50)
    figures["baseline: median, ms"] = median(one for one, _ in pairs) * 1000
    figures[f"bare chain, {client}: median, ms"] = median(other for _, other in pairs) * 1000
    figures[f"baseline / bare chain, {client}, median"] = median(one / other for one, other in pairs)
    milliseconds = [(one * 1000, other * 1000) for one, other in pairs]
    compared.pairs("REST baseline", "ms", f"bare chain, {client}", milliseconds, at_most(1.5))
