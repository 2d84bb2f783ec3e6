"""What all tests share: the options of the long runs."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the nightly run."""
    parser.addoption(
        "--thorough",
        action="store_true",
        help="leave out no test (see the marker `thorough`), walk three times in a row over every protocol event, "
        "replay each counterexample ten times, and try ten thousand inputs for every property",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a shorter test shows already, unless the run is to be thorough."""
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]


@pytest.fixture
def thorough(pytestconfig: pytest.Config) -> bool:
    """Tell whether the run is the nightly one."""
    return bool(pytestconfig.getoption("--thorough"))


@pytest.fixture
def walks(thorough: bool) -> int:
    """Give how often each walk is made, in a row."""
    return 3 if thorough else 1


@pytest.fixture
def replays(thorough: bool) -> int:
    """Give how often each counterexample is replayed."""
    return 10 if thorough else 3
