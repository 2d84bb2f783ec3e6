"""Benchmarks run on native brokers, and leave their figures as JSON, and in a table, under tests/results."""

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from comparing import Comparisons

RESULTS = Path(__file__).parents[1] / "results"
COMPARED = pytest.StashKey[Comparisons]()


@pytest.fixture
def atleastonce_provider() -> str:
    """Name processes of this machine: nothing between us and the broker but the loopback."""
    return "native"


@pytest.fixture(autouse=True)
def nothing_hoarded() -> Iterator[None]:
    """Keep what pytest and the benchmarks before hold out of the collections that this one is charged for."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def pytest_configure(config) -> None:
    """Begin a table."""
    config.stash[COMPARED] = Comparisons()


@pytest.fixture
def compared(request: pytest.FixtureRequest) -> Comparisons:
    """Give the table that the run ends with, to add rows to."""
    return request.config.stash[COMPARED]


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Print the table, and write it down."""
    compared = config.stash[COMPARED]
    if compared.rows:
        terminalreporter.section("side by side")
        terminalreporter.write_line(compared.save(RESULTS, list(unmeasured(terminalreporter.stats))))


def unmeasured(stats) -> Iterator[str]:
    """Yield what was skipped, and why, and what failed."""
    for report in stats.get("skipped", ()):
        yield f"{report.nodeid.rpartition('::')[2]}: {report.longrepr[2].removeprefix('Skipped: ')}"
    for report in (*stats.get("failed", ()), *stats.get("error", ())):
        yield f"{report.nodeid.rpartition('::')[2]}: it failed"


@pytest.fixture(scope="session")
def table():
    """Give a list to put rows into: benchmark, figure, value; written as a table when all is over."""
    rows: list[tuple[str, str, float]] = []
    yield rows
    head = "| benchmark | figure | value |\n| --- | --- | ---: |\n"
    lines = (f"| {test} | {name} | {value:.4g} |\n" for test, name, value in rows)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "benchmarks.md").write_text(head + "".join(lines), "utf-8")


@pytest.fixture
def figures(request, table):
    """Give a dict to put figures into; they are shown and kept, with those of the rounds, when it is over."""
    found: dict[str, float] = {}
    yield found
    name = request.node.name
    request.getfixturevalue("benchmark").extra_info.update(found)
    rounds = request.getfixturevalue("benchmark").stats.stats
    kept = {"figures": found, "seconds of each round": rounds.data}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    table.extend((name, figure, value) for figure, value in found.items())
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    for figure, value in found.items():
        reporter.write_line(f"{figure}: {value:.3g}")
