"""What only a log can do, refused: where messages are taken away as they are read, there is nothing to go back to."""

from collections.abc import Collection, Mapping
from typing import NoReturn

from atleastonce.errors import TransportError
from atleastonce.transports import Envelope, Subscription


class NoLog:
    """The part of `transports.Namespace` that is Kafka's alone, for all others."""

    def delays(self) -> Mapping[str, bool]:
        """Return nothing: there are no queues that hand on what lies in them."""
        return {}

    def only_queues(self) -> Mapping[str, str]:
        """Return nothing: there are no exchanges."""
        return {}

    def again(self, name: str) -> NoReturn:
        """Raise TransportError: there is no log that could be read twice."""
        raise TransportError(f"there is no log that {name} could read again")

    def reached(self, subscriptions: Collection[Subscription]) -> Mapping[int, int]:  # noqa: ARG002 - none is there
        """Return nothing: there are no offsets."""
        return {}

    def skip(self, partition: int, offset: int) -> NoReturn:
        """Refuse: what waits in a queue is given to somebody."""
        raise TransportError(f"cannot skip offset {offset} of partition {partition}: there is no log")

    def abort(self, envelope: Envelope) -> NoReturn:  # noqa: ARG002 - whatever it is
        """Refuse: there are no transactions."""
        raise TransportError("cannot abort a transaction: only Kafka has some")

    def rebalance(self, subscriptions: Collection[Subscription]) -> NoReturn:  # noqa: ARG002
        """Refuse: there are no groups."""
        raise TransportError("cannot join a group: only Kafka has some")

    def rewind(self, subscriptions: Collection[Subscription], first: Mapping[int, int]) -> NoReturn:  # noqa: ARG002
        """Refuse: there are no offsets."""
        raise TransportError("cannot move offsets: only Kafka has some")

    def forget(self, subscriptions: Collection[Subscription], first: Mapping[int, int]) -> NoReturn:
        """Refuse, as `rewind` does."""
        self.rewind(subscriptions, first)
