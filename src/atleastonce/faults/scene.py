"""Where a fault strikes: one link of one service, with the subject at its end."""

from collections.abc import Callable
from dataclasses import dataclass

from atleastonce.relay.link import Link


@dataclass(frozen=True)
class Scene:
    """The link on which the trap sprang, and the ways to end the service behind it."""

    link: Link
    kill_service: Callable[[], None]
    """SIGKILL the service's processes, and absorb whatever its links still carry."""
    stop_service: Callable[[], None]
    """SIGTERM the service."""
