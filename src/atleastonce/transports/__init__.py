"""Talks to a broker on our own behalf: one namespace per lane, publishing with confirms, reading what came out.

Two implementations of one `Namespace`: `transports.rabbitmq` (a virtual host) and `transports.kafka` (topic and
group names). Both translate their client's exceptions into `TransportError` in one table each.
"""

from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self


class Envelope(NamedTuple):
    """One copy of a message, ready to send.

    `key` is that of a record on Kafka, the routing key on RabbitMQ; `values` are what an address over HTTP may name.
    """

    body: bytes | None
    properties: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    key: str | None = None
    values: Mapping[str, str] = {}


class Receipt(NamedTuple):
    """What the broker said to a publication; only a confirmed copy is owed an effect."""

    confirmed: bool
    partition: int = -1
    offset: int = -1
    note: str = ""


class Letter(NamedTuple):
    """A message as it lay on the broker: an output or a dead letter."""

    queue: str
    body: bytes | None
    properties: Mapping[str, Any] = {}
    headers: Mapping[str, Any] = {}
    key: str | None = None


class Subscription(NamedTuple):
    """A queue (or topic, in a consumer group) that the subject consumes from."""

    queue: str
    group: str = ""


class Namespace(Protocol):
    """One lane's part of a broker; removed when the context ends. Not thread-safe: one lane, one thread.

    Every method raises TransportError where the broker does not do as asked.
    """

    name: str

    def placeholders(self, host: str, port: int) -> dict[str, str]:
        """Return what the contract's placeholders stand for, when the broker is reached at that address.

        RabbitMQ: ``amqp_url``. Kafka: ``kafka_bootstrap``, ``group`` and ``topic:NAME`` for each topic.
        """

    def ends(self) -> tuple[str, ...]:
        """Return where a message is at its end (outputs, dead letters), in the names that events use."""

    def prepare(self) -> None:
        """Once the subject has declared its topology: check that what the contract names exists."""

    def publish(self, envelope: Envelope) -> Receipt:
        """Send one copy to the contract's input, and wait for the broker's confirm."""

    def outputs(self, consumed: Collection[str] = ()) -> list[Letter]:
        """Take everything that lies in the contract's output queues now, oldest first per queue.

        From those that a service of a chain consumes, nothing is taken: it belongs to that service.
        """

    def dead_letters(self) -> list[Letter]:
        """Take everything that lies in the contract's dead-letter queue now."""

    def depth(self, subscriptions: Collection[Subscription]) -> int:
        """Count what still waits for the subject there, as the broker knows it at this moment."""

    def exists(self, queue: str) -> bool:
        """Tell whether there is such a queue."""

    def delays(self) -> Mapping[str, bool]:
        """Return the queues that hand on, after a while, what nobody takes out of them, but for `ends`.

        True where it is the queue that says after how long, False where each message may.
        """

    def only_queues(self) -> Mapping[str, str]:
        """Return, by exchange, the only queue that the subject has bound to it."""

    def reopen(self) -> None:
        """Forget the connections of our own, which a restart of the broker has ended."""

    def unroute(self, queue: str) -> None:
        """Delete a queue with its bindings, and keep in mind what they were."""

    def reroute(self, queue: str) -> None:
        """Make a queue again that `unroute` deleted, unless the subject has done so."""

    def again(self, name: str) -> "Namespace":
        """Return another one with the same log, and a group of its own."""

    def reached(self, subscriptions: Collection[Subscription]) -> Mapping[int, int]:
        """Return, by partition of the input, the offset before which the groups have committed everything."""

    def skip(self, partition: int, offset: int) -> None:
        """Have a record of the input wait for nobody: its group reads on behind it, and has nothing to commit."""

    def abort(self, envelope: Envelope) -> None:
        """Send one copy to the contract's input in a transaction, and abort that."""

    def rebalance(self, subscriptions: Collection[Subscription]) -> bool:
        """Let a second member join the groups that read the input, take its part, and leave; say whether it could."""

    def rewind(self, subscriptions: Collection[Subscription], first: Mapping[int, int]) -> None:
        """Move offsets of groups without members back to these, by partition of the input."""

    def forget(self, subscriptions: Collection[Subscription], first: Mapping[int, int]) -> None:
        """Lose the offsets of groups without members, and the records before these offsets."""

    def __enter__(self) -> Self:
        """Create the namespace."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the namespace and close what was opened."""
