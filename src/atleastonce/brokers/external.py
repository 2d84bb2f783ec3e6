"""A broker that is already there: reached, never started, and never harmed."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from atleastonce.brokers import kafka_handshake, rabbitmq_handshake
from atleastonce.brokers.broker import Kind, RunningBroker
from atleastonce.errors import BrokerError, BrokerUnavailable, TransportError, UsageError

_PORTS: dict[Kind, int] = {"rabbitmq": 5672, "kafka": 9092}


@dataclass(kw_only=True)
class ExternalBroker(RunningBroker):
    """Somebody else's broker: others may depend on it, so what would disturb them is refused."""

    given_url: str
    given_management_url: str | None = None
    virtual_host: str = "/"

    @property
    def url(self) -> str:
        """Return what the user gave, which for Kafka may be several addresses, without a virtual host."""
        return self.given_url if self.kind == "kafka" else super().url

    @property
    def management_url(self) -> str | None:
        """Return what the user gave."""
        return self.given_management_url

    def restart(self) -> None:
        """Refuse with BrokerError."""
        raise self._refusal("restarted")

    def pause(self) -> None:
        """Refuse with BrokerError."""
        raise self._refusal("paused")

    def resume(self) -> None:
        """Refuse with BrokerError."""
        raise self._refusal("resumed")

    def kill(self) -> None:
        """Refuse with BrokerError."""
        raise self._refusal("killed")

    def _refusal(self, what: str) -> BrokerError:
        return BrokerError(
            f"{self.title} was to be {what}: it is not ours and others may use it; "
            "choose `--provider docker` or `--provider native` for faults of the broker itself"
        )


@contextlib.contextmanager
def open_external(kind: Kind, url: str, management_url: str | None = None) -> Iterator[ExternalBroker]:
    """Reach the broker at that address, ``amqp://user:password@host:port`` or ``host:port`` for Kafka.

    Raises UsageError for an address that is none and BrokerUnavailable if nobody answers there.
    """
    broker = parse(kind, url, management_url)
    try:
        if kind == "kafka":
            kafka_handshake.brokers(broker.host, broker.port)
            broker.version = kafka_handshake.release(broker.host, broker.port)
        else:
            user, password = map(unquote, broker.credentials.split(":", 1))
            broker.version = rabbitmq_handshake.version(
                broker.host, broker.port, user, password, broker.virtual_host
            )
    except (OSError, TransportError) as exc:
        raise BrokerUnavailable(
            f"reached for the {broker.title}: {exc}; start it there, or give no address and let us start one"
        ) from exc
    yield broker


def parse(kind: Kind, url: str, management_url: str | None = None) -> ExternalBroker:
    """Read the address of an external broker; raise UsageError if it is none."""
    first = url.partition(",")[0]
    parts = urlsplit(first if "://" in first else f"//{first}")
    expected = "amqp" if kind == "rabbitmq" else ""
    try:
        port = parts.port or _PORTS[kind]
    except ValueError:
        port = 0
    if parts.scheme != expected or not parts.hostname or not port:
        form = "amqp://user:password@host:5672" if kind == "rabbitmq" else "host:9092"
        raise UsageError(f"read the address {url!r} of the {kind} broker: that is none; write it as {form}")
    return ExternalBroker(
        kind=kind,
        provider="external",
        host=parts.hostname,
        port=port,
        credentials=f"{parts.username or 'guest'}:{parts.password or 'guest'}",
        settings={"provider": "external"},
        given_url=url,
        virtual_host=unquote(parts.path[1:]) or "/",
        given_management_url=management_url,
    )
