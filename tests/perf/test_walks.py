"""How many crash points a second are walked, with the whole reference service on two lanes."""

from pathlib import Path

import pytest

from atleastonce.campaign import Plan

pytestmark = [pytest.mark.perf, pytest.mark.timeout(300)]

CONTRACTS = Path(__file__).parents[2] / "src" / "campus_food" / "contracts"


@pytest.mark.parametrize("broker", ["rabbitmq", "kafka"])
def test_crash_points(benchmark, subject, figures, broker):
    """Clean runs and start of the lanes counted in."""
    service = subject(CONTRACTS / f"{broker}.toml")
    verified = benchmark.pedantic(service.verify, args=(Plan(explore=("crash",)),), rounds=1)
    found = verified.findings
    figures[f"{broker}: crash points/s"] = found.carried_out / found.seconds
    benchmark.extra_info.update(figures)
    verified.assert_kept()
