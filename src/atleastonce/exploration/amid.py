"""In the midst of it: a service that is at work for long between two events is ended there, too.

Between them it may do a part of its work, as one that notes an id and then does what takes a while. Which system call
it is at, only write points know; where nothing happens for long, a time finds it as well.
"""

from collections.abc import Iterator

_LONG = 0.02
"""How long a service must be at work for that, in seconds: not as long does a kill hit by its time."""
_MOST = 1.0
"""How much of that is looked into, in seconds."""
_PARTS = (0.25, 0.5, 0.75)


def amid(seconds: float) -> Iterator[str]:
    """Yield, for work that takes so long, how long after its beginning it is struck; never, if it is soon done."""
    if seconds >= _LONG:
        yield from (f"{part * min(seconds, _MOST) * 1000:.0f}ms" for part in _PARTS)
