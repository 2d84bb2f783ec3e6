"""Benchmarks run on native brokers, and leave their figures in a table under tests/results."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "results"


@pytest.fixture
def atleastonce_provider() -> str:
    """Name processes of this machine: nothing between us and the broker but the loopback."""
    return "native"


@pytest.fixture
def figures(request):
    """Give a dict to put figures into; they are shown and kept when the benchmark is over."""
    found: dict[str, float] = {}
    yield found
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{request.node.name}.json").write_text(json.dumps(found, indent=1) + "\n")
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    for name, value in found.items():
        reporter.write_line(f"{name}: {value:.3g}")
