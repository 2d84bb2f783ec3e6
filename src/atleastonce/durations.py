"""Durations as a contract writes them: ``"30s"``, ``"500ms"``, ``"2m"``."""

import re
from typing import Any

_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(float):
    """A length of time in seconds."""

    @classmethod
    def parse(cls, text: object) -> "Duration":
        """Read ``"500ms"``; raise ValueError, saying what is expected, for anything else."""
        match = _DURATION.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f'{text!r} is no duration; write a number and ms, s, m or h, like "30s"')
        return cls(float(match["number"]) * _SECONDS[match["unit"]])


def decoded(kind: type, value: Any) -> Any:
    """Return a value of a kind that msgspec does not know itself: its ``dec_hook``."""
    if kind is Duration:
        return Duration.parse(value)
    raise TypeError(kind)
