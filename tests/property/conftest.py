"""How many inputs are tried: some hundreds for each fact, the same ones every time; thousands of new ones at night."""

import pytest
from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("usual", max_examples=300, deadline=None, derandomize=True, database=None)
settings.register_profile(
    "thorough", max_examples=10_000, deadline=None, print_blob=True, suppress_health_check=_SLOW
)


def pytest_configure(config: pytest.Config) -> None:
    """Choose before the tests are read, whose settings begin with these."""
    settings.load_profile("thorough" if config.getoption("--thorough") else "usual")
