"""SIGTERM ends a run as Ctrl-C does."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def terminable(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does; outside the main thread signals are somebody else's business."""

    def terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signals call it
        stop.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
