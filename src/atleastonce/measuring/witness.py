"""A witness beside the requests: how late this machine wakes a thread that has next to nothing to do."""

import threading
import time
from types import TracebackType
from typing import Self

from atleastonce.latency.statistics import percentile

_EVERY = 0.002  # seconds


class Witness:
    """Sleeps and looks how much later than asked it wakes, for as long as the block lasts.

    On a machine with time to spare that is a tenth of a millisecond or two. On one that is busy with other work,
    every thread of every service waits as well, each time that it is its turn.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._late: list[float] = []
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def late(self) -> float:
        """In seconds, in one of twenty cases: the scheduler spares short sleepers, so the median says too little."""
        return percentile(sorted(self._late), 95) if self._late else 0.0

    def _watch(self) -> None:
        while not self._over.is_set():
            asked = time.perf_counter() + _EVERY
            self._over.wait(_EVERY)
            if not self._over.is_set():
                self._late.append(max(0.0, time.perf_counter() - asked))
