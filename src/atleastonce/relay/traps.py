"""Armed traps: which fault strikes when an event passes.

Only the relay's loop asks; arming from another thread replaces the whole list, so no lock is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from atleastonce.history import Event
from atleastonce.schedule import Trap, When


@dataclass
class _Armed:
    trap: Trap
    seen: int = 0
    sprung: bool = False


class Traps:
    """The traps of the case that runs now."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def arm(self, traps: Iterable[Trap]) -> None:
        """Replace every trap, sprung or not."""
        self._armed = [_Armed(trap) for trap in traps]

    def unsprung(self) -> tuple[Trap, ...]:
        """Return the traps that still wait."""
        return tuple(armed.trap for armed in self._armed if not armed.sprung)

    def due(self, when: When, service: str, events: Iterable[Event]) -> Trap | None:
        """Count these events, which are about to pass or have passed together, and return the trap they spring.

        At most one: the fault of the first ends the scene for the others, which then wait on.
        """
        for armed in self._armed:
            if not armed.sprung and _waits_for(armed.trap, when, service):
                armed.seen += sum(_matches(armed.trap, event) for event in events)
                if armed.seen >= armed.trap.nth:
                    armed.sprung = True
                    return armed.trap
        return None


def _waits_for(trap: Trap, when: When, service: str) -> bool:
    return trap.when == when and trap.service in ("", service)


def _matches(trap: Trap, event: Event) -> bool:
    return event.event == trap.event and event.message == trap.message
