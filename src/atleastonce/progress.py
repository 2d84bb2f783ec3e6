"""Tells how far a service is whose offsets live in its own database, where no commit says so.

A copy is settled once the service has asked for what lies behind it, in its present life, and what it shows has stood
still since for a while. How far behind it is, is how much lies in the log that it has never asked to get past.
"""

import time
from collections.abc import Iterable

from atleastonce import effects
from atleastonce.history import Event, Observation
from atleastonce.lane import Lane


class Still:
    """What a lane shows, and since when that stands still."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._seen: Observation | None = None
        self._since = 0.0

    @property
    def shown(self) -> set[str]:
        """What had something to show, by name."""
        return {*self._seen.values} if self._seen else set()

    def since(self) -> float:
        """Look, and return the seconds since something was last seen to change, or could not be seen."""
        seen, now = self._lane.observe("faulty"), time.monotonic()
        if seen.unreadable or self._seen is None or self._moved(self._seen, seen):
            self._since = now
        self._seen = seen
        return now - self._since

    def begin(self) -> None:
        """Count from now on."""
        self._seen = None

    def _moved(self, one: Observation, other: Observation) -> bool:
        return bool(effects.changes(one.values, other.values, self._lane.contract.observe.ignore))


class Progress:
    """Settles copies by observation, for one case in one lane; the service must show nothing new for `settles`."""

    def __init__(self, lane: Lane, settles: float) -> None:
        self._lane = lane
        self._settles = settles
        self._still = Still(lane)
        self._published: dict[str, Event] = {}
        self._waited_for: tuple[str, ...] = ()

    def feed(self, events: Iterable[Event]) -> None:
        """Take the next events of the record."""
        self._published |= {each.copy: each for each in events if each.event == "published" and each.copy}

    def settle(self, unsettled: tuple[str, ...]) -> None:
        """Note the copies, of those that nothing has settled, that the service has read and is done with."""
        past = tuple(copy for copy in unsettled if self._is_past(copy))
        if not past or past != self._waited_for:
            self._waited_for = past
            self._still.begin()
        if past and self._still.since() >= self._settles:
            for copy in past:
                self._lane.note("seen", copy=copy, settles=True)

    def depth(self, queue: str) -> int:
        """Return how many of the copies in a topic the service has never asked to get past."""
        furthest = self._lane.names.turns.furthest
        mine = (event for event in self._published.values() if self._lane.input_topic == queue)
        return sum(furthest.get((queue, each.partition), 0) <= each.offset for each in mine)

    def _is_past(self, copy: str) -> bool:
        event = self._published.get(copy)
        if event is None:
            return False
        place = self._lane.input_topic, event.partition
        return self._lane.names.turns.positions.get(place, 0) > event.offset
