"""No broker at all: services ask each other over HTTP, so nothing is published, waits or comes out of a queue."""

from collections.abc import Collection
from types import TracebackType
from typing import NoReturn, Self

from atleastonce.errors import TransportError
from atleastonce.transports import Envelope, Letter, Subscription
from atleastonce.transports.no_log import NoLog


class NoBroker(NoLog):
    """The namespace of a lane without a broker (`transports.Namespace`)."""

    def __init__(self, name: str) -> None:
        self.name = name

    def placeholders(self, host: str, port: int) -> dict[str, str]:  # noqa: ARG002 - nobody is told of it
        """Return nothing."""
        return {}

    def ends(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def prepare(self) -> None:
        """Do nothing: there is no topology."""

    def publish(self, envelope: Envelope) -> NoReturn:  # noqa: ARG002 - whatever it is
        """Raise TransportError: the way in is HTTP."""
        raise TransportError("the contract names no broker that a message could be published to")

    def outputs(self, consumed: Collection[str] = ()) -> list[Letter]:  # noqa: ARG002 - there are none
        """Return nothing."""
        return []

    def dead_letters(self) -> list[Letter]:
        """Return nothing."""
        return []

    def depth(self, subscriptions: Collection[Subscription]) -> int:  # noqa: ARG002 - there are none
        """Return zero."""
        return 0

    def exists(self, queue: str) -> bool:  # noqa: ARG002 - whatever its name
        """Return False."""
        return False

    def reopen(self) -> None:
        """Do nothing: nothing is open."""

    def unroute(self, queue: str) -> NoReturn:
        """Raise TransportError: there is no queue."""
        raise TransportError(f"the contract names no broker that could have a queue {queue}")

    def reroute(self, queue: str) -> NoReturn:
        """Raise TransportError: there is no queue."""
        raise TransportError(f"the contract names no broker that could have a queue {queue}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
