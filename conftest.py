"""What all tests share: the options of the long runs."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add how often the walks over every protocol event are made."""
    parser.addoption("--walks", type=int, default=1, help="how often each walk is made, in a row")
