"""What a running broker is to the rest of the program, whoever started it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Kind = Literal["rabbitmq", "kafka"]
ProviderName = Literal["auto", "docker", "native", "external"]
Say = Callable[[str], None]

TITLES: Mapping[Kind, str] = {"rabbitmq": "RabbitMQ", "kafka": "Kafka"}
LOOPBACK = "127.0.0.1"


class Broker(Protocol):
    """A broker that answers; it stops answering when the context manager that gave it ends.

    `restart`, `pause`, `resume` and `kill` raise BrokerError where they are not possible.
    """

    @property
    def kind(self) -> Kind:
        """RabbitMQ or Kafka."""

    @property
    def provider(self) -> str:
        """Who runs it: docker, native or external."""

    @property
    def version(self) -> str:
        """The release, as the broker itself reports it."""

    @property
    def host(self) -> str:
        """Where it listens; the loopback address unless it is an external one."""

    @property
    def port(self) -> int:
        """The AMQP port, or that of the Kafka bootstrap."""

    @property
    def url(self) -> str:
        """``amqp://user:password@host:port`` without a virtual host, or ``host:port`` for Kafka."""

    @property
    def management_url(self) -> str | None:
        """``http://user:password@host:port`` of RabbitMQ's HTTP API; None for Kafka."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What changes verdicts or speed, to be recorded with the verdict."""

    @property
    def reason(self) -> str:
        """Why this provider was chosen, in one line."""

    def restart(self) -> None:
        """Stop it in order, or start it after `kill`; return once it is ready, with address and data."""

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered."""

    def resume(self) -> None:
        """Let it go on after `pause`."""

    def kill(self) -> None:
        """End it at once, as a power cut would; `restart` brings it back."""


@dataclass(kw_only=True)
class RunningBroker:
    """The facts that every provider fills in alike."""

    kind: Kind
    provider: str
    port: int
    host: str = LOOPBACK
    management_port: int | None = None
    credentials: str = "guest:guest"
    version: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def title(self) -> str:
        """Name it in messages, such as ``native RabbitMQ at 127.0.0.1:5672``."""
        return f"{self.provider} {TITLES[self.kind]} at {self.host}:{self.port}"

    @property
    def url(self) -> str:
        """See `Broker.url`."""
        address = f"{self.host}:{self.port}"
        return address if self.kind == "kafka" else f"amqp://{self.credentials}@{address}"

    @property
    def management_url(self) -> str | None:
        """See `Broker.management_url`."""
        if self.management_port is None:
            return None
        return f"http://{self.credentials}@{self.host}:{self.management_port}"
