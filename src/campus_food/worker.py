"""The thread beside the HTTP server: it works until it is to stop, survives outages, and admits its state."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from math import inf
from typing import TypeVar

T = TypeVar("T")

FIRST_DELAY = 0.1  # seconds
LAST_DELAY = 1.0  # seconds

log = logging.getLogger(__name__)


class Worker(ABC):
    """Holds sessions with a broker, one after the other.

    Promise: an outage ends a session, and the next one begins by itself; an error that nobody foresaw ends
    the process, since a service whose worker died unnoticed looks healthy and does nothing.
    """

    # What a session may end with: the broker or the link is gone and will be back. Anything else is a defect.
    outages: tuple[type[BaseException], ...]
    # What a call may fail with, and succeed with a moment later, in the same session.
    transient: tuple[type[BaseException], ...]

    def __init__(self) -> None:
        self.problem: str | None = "not connected yet"
        self.failed = False
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)
        self._on_failure: Callable[[], None] = lambda: None

    def start(self, on_failure: Callable[[], None]) -> None:
        """Begin; `on_failure` is called from the thread when it gives up for good."""
        self._on_failure = on_failure
        self._thread.start()

    def stop(self) -> None:
        """Finish and settle the work in hand, close the links; returns when that is done."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def health(self) -> str | None:
        """Tell why no work can be done at present; None where it can. Called from another thread."""
        return self.problem

    @abstractmethod
    def session(self) -> None:
        """Connect and work until `stopping` is set; set `problem` to None while work can be done."""

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Wait inside a session, without letting it expire."""

    def retry(self, action: Callable[[], T], *, within: float = inf) -> T:
        """Do it again, after a growing delay, for as long as it fails with one of `transient`.

        After `within` seconds, or where it is not `worth_another`, the failure is raised. It ends the
        session, and the message, unsettled, comes again.
        """
        deadline = time.monotonic() + within
        before = self.problem
        for delay in delays():
            try:
                result = action()
            except self.transient as error:
                if not self.worth_another(error) or time.monotonic() > deadline:
                    raise
                self.problem = repr(error)
                log.warning("Trying again in %.1f s", delay, extra={"reason": self.problem})
                self.pause(delay)
            else:
                self.problem = before
                return result
        raise AssertionError("delays never end")

    def worth_another(self, _error: BaseException) -> bool:
        """Tell whether to try again after this failure."""
        return not self.stopping.is_set()

    def _run(self) -> None:
        try:
            self._sessions()
        except Exception:
            log.exception("The worker met an error that it cannot handle; the service stops")
            self.failed = True
            self._on_failure()
        finally:
            self.problem = "stopped"

    def _sessions(self) -> None:
        waits = delays()
        while not self.stopping.is_set():
            try:
                self.session()
            except (*self.outages, *self.transient) as error:
                if self.problem is None:  # it worked for a while: begin with short delays again
                    waits = delays()
                self.problem = repr(error)
                delay = next(waits)
                log.warning("Connecting again in %.1f s", delay, extra={"reason": self.problem})
                self.stopping.wait(delay)


def delays() -> Iterator[float]:
    """Yield the seconds to wait before each further try, without end."""
    delay = FIRST_DELAY
    while True:
        yield delay
        delay = min(2 * delay, LAST_DELAY)
