"""The record of the case that runs now: written by the relay's thread, awaited by the runner's."""

import threading
import time
from collections.abc import Callable

from atleastonce.history import Event


class Record:
    """Events in the order they happened, with `t` counted from the beginning of the case."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._began = time.monotonic()

    def begin(self) -> None:
        """Start a new case with an empty record."""
        with self._changed:
            self._events = []
            self._began = time.monotonic()

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
        """Return the seconds since the last event; a service that is traced may call the kernel all the time."""
        last = next((event.t for event in reversed(self._events) if event.event != "write"), 0.0)
        return self.clock() - last

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
