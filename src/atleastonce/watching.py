"""How a campaign tells what it does while it goes on."""

from typing import Protocol

from atleastonce.findings import Judged


class Watcher(Protocol):
    """Is told how a campaign goes on; called from one thread at a time."""

    def stage(self, what: str, total: int | None = None) -> None:
        """Hear that a stage begins, of `total` schedules where that is known."""

    def judged(self, judged: Judged) -> None:
        """Hear of a schedule that was carried out and judged."""

    def broken(self, promise: str, judged: Judged) -> None:
        """Hear of the first failure of a promise: raw, before it is confirmed and shrunk."""


class Silent:
    """A watcher that says nothing."""

    def stage(self, what: str, total: int | None = None) -> None:
        """Do nothing."""

    def judged(self, judged: Judged) -> None:
        """Do nothing."""

    def broken(self, promise: str, judged: Judged) -> None:
        """Do nothing."""
