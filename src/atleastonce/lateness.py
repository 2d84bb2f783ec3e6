"""Tells what comes late from what is lost: behind a fault, a service may have to wait for a lease to end, or a sweep.

How long a missing effect is awaited comes of clean runs, in which nobody has to recover. So before the first failure of
a promise is held against a service, what it misses is awaited for longer, once.
"""

from collections.abc import Callable, Iterable, Sequence

from atleastonce.findings import Judged
from atleastonce.watching import Watcher
from atleastonce.workshop import Workshop

_MARGIN = 1.5
"""By what the longest time that something took to come is multiplied: the next may take a bit longer."""

InLanes = Callable[[Iterable[Judged], Callable[[Judged], None]], None]
"""Does something with each failure, in lanes side by side."""


class Lateness:
    """Carries out again what is missing something, and awaits that for `recovery`, in seconds; never where it is 0."""

    def __init__(self, workshop: Workshop, watcher: Watcher, recovery: float, in_lanes: InLanes) -> None:
        self._workshop = workshop
        self._watcher = watcher
        self._recovery = recovery
        self._in_lanes = in_lanes

    def is_found(self, judged: list[Judged], failures: Iterable[Judged]) -> bool:
        """Tell whether what these failures miss comes after all; what is known better then takes their place.

        Whatever else misses something is carried out again, and awaited for as long as that took.
        """
        schedules = {each.history.header.schedule.describe(): each for each in failures if self._hasty(each)}
        came = self._again(
            f"await what is missing for {self._recovery:g} s", judged, [*schedules.values()], self._recovery
        )
        if not came:
            return False
        self._workshop.patience = max(self._workshop.patience, _MARGIN * came)
        hasty = [each for each in judged if self._hasty(each)]
        self._again(f"again, since it came after {came:.1f} s", judged, hasty, self._workshop.patience)
        return True

    def _hasty(self, judged: Judged) -> bool:
        """Tell whether it accuses for what is missing alone, and that was awaited for a short time."""
        return judged.is_hasty and judged.history.header.in_vain < self._recovery

    def _again(self, why: str, judged: list[Judged], failures: Sequence[Judged], patience: float) -> float:
        """Carry out failures again, and return the longest time that something took to come: 0 where nothing did.

        One that is not seen again, although nothing came late, stays: that is for the proof to deal with.
        """
        if not failures:
            return 0.0
        better: list[tuple[Judged, Judged]] = []

        def once(failure: Judged) -> None:
            again = self._workshop.carry_out(failure.history.header.schedule, patience=patience)
            self._watcher.judged(again)
            if again.history.waiting.outlasts(failure.history.waiting):
                better.append((failure, again))

        self._watcher.stage(why, len(failures))
        self._in_lanes(failures, once)
        for failure, again in better:
            judged[next(at for at, each in enumerate(judged) if each is failure)] = again
        return max((again.history.waiting.until_it_came for _, again in better), default=0.0)
