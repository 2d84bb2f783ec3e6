"""Reads typed lines as they come, and lets its caller look around meanwhile."""

import os
import select
import sys
from collections.abc import Iterator
from threading import Event

_GLANCE = 0.2  # seconds: how long one look at the input takes where nothing comes
_MOST = 4096  # bytes at once


def interactive() -> bool:
    """Tell whether somebody can type."""
    return sys.stdin is not None and sys.stdin.isatty()


def lines(stop: Event) -> Iterator[str | None]:
    """Yield every line of standard input, and None whenever there is none for a moment, until `stop` is set.

    The end of a pipe or of a file ends nothing: its writer has gone, and the services stay up until a signal.
    The end of a terminal's input (Ctrl-D) is a wish to leave, so there the lines end.
    """
    if sys.stdin is not None:
        yield from _typed(sys.stdin.fileno(), stop)
    while not interactive() and not stop.wait(_GLANCE):
        yield None


def _typed(source: int, stop: Event) -> Iterator[str | None]:
    """Yield lines, None for a moment without, to the end of the input; read as it comes, nothing ahead of it."""
    rest = b""
    while not stop.is_set():
        if not _comes(source, stop):
            yield None
        elif read := os.read(source, _MOST):
            *whole, rest = (rest + read).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
        else:
            break
    if rest:
        yield rest.decode(errors="replace")


def _comes(source: int, stop: Event) -> bool:
    """Tell whether something can be read; in the background a look at the terminal would stop this process."""
    try:
        background = os.tcgetpgrp(source) != os.getpgrp()
    except OSError:  # no terminal, or not the one that this process belongs to
        background = False
    if background:
        stop.wait(_GLANCE)
        return False
    return bool(select.select([source], [], [], _GLANCE)[0])
