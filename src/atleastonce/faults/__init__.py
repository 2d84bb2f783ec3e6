"""One bad thing each: what a trap does when it springs.

A fault strikes on the relay's thread, between two frames; whatever it does to the link or to the subject holds
from that very frame on. `FAULTS` is the list of them; `noop` is the one to read first.
"""

from typing import Protocol

from atleastonce.faults import cut, fail, hold, kill, noop, pause, stop, time_out
from atleastonce.faults.scene import Scene


class Fault(Protocol):
    """A bad thing, and the rule of the broker that allows it to happen."""

    allowed: str
    """Why a service must expect this, in one line."""
    ends_service: bool
    """Whether the service has to be started again afterwards."""

    def strike(self, scene: Scene) -> None:
        """Do it; must not block."""


FAULTS: dict[str, Fault] = {
    "noop": noop.Noop(),
    "kill": kill.Kill(),
    "cut": cut.Cut(),
    "hold": hold.Hold(),
    "stop": stop.Stop(),
    "pause": pause.Pause(),
    "fail": fail.Fail(),
    "time-out": time_out.TimeOut(),
}

RULES: dict[str, str] = {name: fault.allowed for name, fault in FAULTS.items()}
"""For each fault, the rule of the broker that allows it."""
