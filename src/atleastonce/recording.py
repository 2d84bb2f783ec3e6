"""The record of the case that runs now: written by the relay's thread, awaited by the runner's."""

import threading
import time
from collections.abc import Callable

from atleastonce.history import Event


def _is_beside(event: Event) -> bool:
    """Tell whether an event is of a service's life beside our messages; a traced one's calls are not told apart."""
    return event.event == "write" or (event.side != "runner" and event.message is None)


class Record:
    """Events in the order they happened, with `t` counted from the beginning of the case."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._began = time.monotonic()
        self._looked_at, self._stirred = 0, 0.0

    def begin(self) -> None:
        """Start a new case with an empty record."""
        with self._changed:
            self._events = []
            self._began = time.monotonic()
            self._looked_at, self._stirred = 0, 0.0

    def clock(self) -> float:
        """Return the seconds since the case began."""
        return round(time.monotonic() - self._began, 6)

    def add(self, *events: Event) -> None:
        """Append events that carry their time already."""
        with self._changed:
            self._events.extend(events)
            self._changed.notify_all()

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self._events)

    def idle(self) -> float:
        """Return the seconds since the last event that a message of ours, or the runner, is behind.

        A service may have a life of its own beside it: publish how it is, or call the kernel, all the time.
        """
        fresh = self._events[self._looked_at :]
        self._looked_at += len(fresh)
        self._stirred = next((event.t for event in reversed(fresh) if not _is_beside(event)), self._stirred)
        return self.clock() - self._stirred

    def since(self, index: int) -> list[Event]:
        """Return the events from an index on."""
        return self._events[index:]

    def events(self) -> tuple[Event, ...]:
        """Return the whole record."""
        return tuple(self._events)

    def wait(self, seen: int, within: float) -> None:
        """Return once there are more events than `seen`, at the latest after `within` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) > seen, within)

    def await_(self, true: Callable[[], bool], within: float, pulse: float = 0.02) -> bool:
        """Wait until something is true, asking at every event and every `pulse` seconds; say whether it is."""
        deadline = time.monotonic() + within
        while not true():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.wait(len(self._events), min(pulse, left))
        return True
