"""Armed traps: which fault strikes when an event passes.

Only the relay's loop asks; arming from another thread replaces the whole list, so no lock is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from atleastonce.history import Event
from atleastonce.schedule import BROKER, TAKEN, Trap, When, is_of


@dataclass
class _Armed:
    trap: Trap
    seen: int = 0
    due_once: bool = False
    sprung: bool = False

    def due(self, when: When, service: str, to: str, events: Iterable[Event]) -> bool:
        """Count these events; say whether they spring the trap, or, of a write point, whether it begins."""
        if self.due_once or when != (self.trap.when or "before") or not _waits_at(self.trap, service, to):
            return False
        found = sum(_matches(self.trap, event) for event in events)
        self.seen += found
        return found > 0 and self.seen >= (1 if self.trap.is_write else self.trap.nth)


class Traps:
    """The traps of the case that runs now."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.times = 0
        """How often traps were armed: one that strikes later belongs to those that were armed when it was due."""

    @property
    def armed(self) -> bool:
        """Whether there are any."""
        return bool(self._armed)

    def arm(self, traps: Iterable[Trap]) -> None:
        """Replace every trap, sprung or not."""
        self._armed = [_Armed(trap) for trap in traps]
        self.times += 1

    def unsprung(self) -> tuple[Trap, ...]:
        """Return the traps that still wait."""
        return tuple(armed.trap for armed in self._armed if not armed.sprung)

    def due(self, when: When, service: str, events: Iterable[Event], to: str = "") -> Trap | None:
        """Count these events, which pass (or have passed) together, and return the trap they spring.

        They pass on a link of this service to another one, or to the broker. At most one: the fault of the first
        ends the scene for the others, which then wait for the next time.
        """
        if not self._armed:
            return None
        passing = tuple(events)
        due = [armed for armed in self._armed if armed.due(when, service, to, passing)]
        if not due:
            return None
        due[0].due_once = True
        # These spring later: a write point in the service itself.
        due[0].sprung = not (due[0].trap.is_write or due[0].trap.later)
        return due[0].trap

    def spring(self, trap: Trap) -> None:
        """Take down a trap that has struck later than it was due."""
        for armed in self._armed:
            armed.sprung = armed.sprung or armed.trap == trap


def _waits_at(trap: Trap, service: str, to: str) -> bool:
    """Tell whether a trap waits at the link from a service to another one (or to the broker).

    Between two services, it names one end as its service, and the other as its link.
    """
    if not to:
        return trap.link == BROKER and (not trap.service or is_of(service, trap.service))
    ends = ((service, to), (to, service)) if trap.service else ((service, to),)
    return any(
        (not trap.service or is_of(one, trap.service)) and is_of(other, trap.link) for one, other in ends
    )


def _matches(trap: Trap, event: Event) -> bool:
    if trap.is_write:
        return event.event in TAKEN and event.message == trap.during
    if not trap.message:
        return event.event == trap.event and "join" in (event.event, event.of)
    return event.event == trap.event and event.message == trap.message
