"""In which order a log is served to its readers, and how far they have asked for it."""

from collections import deque
from collections.abc import Iterable

Place = tuple[str, int]
"""A topic and a partition of it."""


class Turns:
    """Lets the partitions of a log have their turns, one run of records after the other.

    A run is a place and the offset up to which it is served; the next one begins once a reader asks for what lies
    behind it. Without runs, everything is served at once. What belongs to no run is always served, unless all is held
    until the runs are known. Filled by the runner before anybody reads, or on the thread of the relays of one lane,
    which share it.
    """

    def __init__(self) -> None:
        self.positions: dict[Place, int] = {}
        """The offset that was asked for last, by place."""
        self.furthest: dict[Place, int] = {}
        """The greatest that ever was, in any life of the readers."""
        self._runs: deque[tuple[Place, int]] = deque()
        self._places: frozenset[Place] = frozenset()
        self._held = False

    def hold(self) -> None:
        """Serve nothing until the runs begin."""
        self._held = True

    def begin(self, runs: Iterable[tuple[Place, int]]) -> None:
        """Serve these runs, in this order."""
        self._held = False
        self._runs = deque(runs)
        self._places = frozenset(place for place, _ in self._runs)

    def reading(self, topic: str) -> dict[int, int]:
        """Return the offset that was asked for last, by partition of a topic."""
        return {partition: at for (of, partition), at in [*self.positions.items()] if of == topic}

    def asked(self, place: Place, offset: int) -> None:
        """Note that a reader asked for what lies behind that offset."""
        self.positions[place] = offset
        self.furthest[place] = max(offset, self.furthest.get(place, 0))
        while self._runs and self.positions.get(self._runs[0][0], 0) >= self._runs[0][1]:
            self._runs.popleft()

    def forget(self) -> None:
        """Forget what a reader asked for that is gone: its next life begins where it likes."""
        self.positions.clear()

    def limit(self, place: Place) -> int | None:
        """Return the offset up to which a place is served now, None for all of it."""
        if self._held:
            return 0
        if not self._runs or place not in self._places:
            return None
        turn, until = self._runs[0]
        return until if place == turn else 0
