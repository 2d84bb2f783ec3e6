"""Breaks: replays-identically.

An order counts in the minute in which it is read: a replay has them all in the minute of the replay. Seen in
faust#48, where windows were those of processing time.
"""

import time

from campus_food.kafka.analytics import Analytics, main
from campus_food.kafka.events import read_order
from campus_food.kafka.metrics import MINUTE, Fact
from campus_food.kafka.reading import Reader


class WallClockReader(Reader):
    """Looks at the clock on the wall, not at the order."""

    def order(self, value: bytes | None) -> Fact | None:
        """Return what an order says, as of now."""
        return read_order(value).order_id, int(time.time()) // MINUTE


class WallClockWindow(Analytics):
    """Reads so."""

    def make_reader(self) -> Reader:
        """Return what reads records."""
        return WallClockReader(self.cluster)


if __name__ == "__main__":
    main(WallClockWindow)
