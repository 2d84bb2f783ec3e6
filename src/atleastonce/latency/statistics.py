"""Statistics of samples: least, mean, percentiles, greatest, and how many succeeded."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from atleastonce.latency.samples import Sample

METHOD = "linear interpolation between the two closest ranks (type 7, as in NumPy)"
ENOUGH_FOR_P95 = 20
"""With fewer samples p95 lies between the two slowest and says little about the tail."""
NO_ANSWER = 0
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Summary:
    """One scenario in figures, in seconds; all requests count, whether they succeeded or not."""

    scenario: str
    n: int
    min: float
    avg: float
    median: float
    p95: float
    max: float
    success: int
    errors: int
    statuses: tuple[tuple[int, int], ...]
    """Each status with its number of answers; 0 stands for no answer."""


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values, at least one, by `METHOD`."""
    rank = (len(ordered) - 1) * percent / 100
    low = min(math.floor(rank), len(ordered) - 1)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def enough_for(percent: float) -> int:
    """Return how many samples it takes for one of them to lie beyond a percentile: 20 for the 95th."""
    beyond = min(percent, 100 - percent)
    return 1 if beyond <= 0 else math.ceil(100 / beyond - 1e-9)


def succeeded(status: int) -> bool:
    """Tell whether an answer counts as success: 2xx and nothing else."""
    return status in _OK


def summary(scenario: str, samples: Sequence[Sample]) -> Summary:
    """Summarise the samples of one scenario, at least one."""
    ordered = sorted(sample.seconds for sample in samples)
    success = sum(succeeded(sample.status) for sample in samples)
    return Summary(
        scenario=scenario,
        n=len(samples),
        min=ordered[0],
        avg=math.fsum(ordered) / len(ordered),
        median=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        max=ordered[-1],
        success=success,
        errors=len(samples) - success,
        statuses=tuple(sorted(Counter(sample.status for sample in samples).items())),
    )


def answers(statuses: Sequence[tuple[int, int]]) -> str:
    """Say which answers there were: ``9 x HTTP 200, 1 x no answer``."""
    return ", ".join(
        f"{times} x {'no answer' if status == NO_ANSWER else f'HTTP {status}'}" for status, times in statuses
    )


def seconds(value: float) -> str:
    """Return a time to three decimals; half a millisecond is rounded up, whatever its binary fraction is."""
    return f"{value + 1e-9:.3f}"
