"""Which cases of a test every run tries, and which are left to the thorough one, since others show the same."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def thoroughly(*values: object) -> Any:
    """Return a case that only the thorough run tries."""
    return pytest.param(*values, marks=pytest.mark.thorough)


def sliced(names: Iterable[str], chosen: Collection[str]) -> list[Any]:
    """Return a case per name, of which every run tries the chosen ones."""
    return [name if name in chosen else thoroughly(name) for name in names]
