"""What all tests share: the options of the long runs."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the nightly run."""
    parser.addoption(
        "--thorough",
        action="store_true",
        help="walk three times in a row over every protocol event, replay each counterexample ten times, and try "
        "ten thousand inputs for every property",
    )


@pytest.fixture
def walks(pytestconfig: pytest.Config) -> int:
    """Give how often each walk is made, in a row."""
    return 3 if pytestconfig.getoption("--thorough") else 1


@pytest.fixture
def replays(pytestconfig: pytest.Config) -> int:
    """Give how often each counterexample is replayed."""
    return 10 if pytestconfig.getoption("--thorough") else 3
