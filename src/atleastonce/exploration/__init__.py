"""Which schedules to try: from a calm run to schedules, and from a schedule to shorter ones."""

from collections.abc import Callable, Iterator

from atleastonce.exploration.crash_points import crash_points
from atleastonce.exploration.duplicates import duplicates
from atleastonce.history import History
from atleastonce.schedule import Schedule

Explorer = Callable[[History], Iterator[Schedule]]

EXPLORERS: dict[str, Explorer] = {
    "duplicates": duplicates,
    "crash": crash_points,
}
"""By the name that ``--explore`` takes; from a calm history of the messages to use."""
