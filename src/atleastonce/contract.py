"""The contract file, ``atleastonce.toml``, as frozen data; what users write is fixed (CONTRACT)."""

import hashlib
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from atleastonce import templates
from atleastonce.durations import Duration
from atleastonce.promises import Count, Options, options

BrokerKind = Literal["rabbitmq", "kafka"]
Kind = Literal["rabbitmq", "kafka", "http"]
QueueType = Literal["quorum", "classic"]

_DATABASE = re.compile(
    r"\b(postgres|postgresql|mysql|mariadb|mongodb|rediss?|mssql|sqlserver|oracle)(\+\w+)*://", re.IGNORECASE
)
"""What begins the address of a database that is a server, as drivers and SQLAlchemy write it."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A table of the file: unknown keys are errors."""


class Service(_Table, frozen=True, kw_only=True):
    """How to start the service under test."""

    command: str = ""
    image: str = ""
    ready: str = ""
    ready_within: Duration = Duration(10)
    health: str = ""
    instances: Count = 1
    reset: Literal["fresh-ids", "restart"] = "fresh-ids"
    env: dict[str, str] = {}

    @property
    def texts(self) -> dict[str, str]:
        """The texts that it is started with, by key, in which it is told where others are."""
        return {"command": self.command, **{f"env.{key}": text for key, text in self.env.items()}}

    @property
    def uses_broker(self) -> bool:
        """Whether it is told where the broker is."""
        told = {name for text in self.texts.values() for name in templates.placeholders(text)}
        return bool(told & {"amqp_url", "kafka_bootstrap"})


class BrokerTable(_Table, frozen=True, kw_only=True):
    """Which broker the service needs; ``http`` is none, since services ask each other."""

    kind: Kind
    queue_type: QueueType = "quorum"
    definitions: str = ""


class Topic(_Table, frozen=True, kw_only=True):
    """A Kafka topic that the runner creates."""

    partitions: Count = 1


class Input(_Table, frozen=True, kw_only=True):
    """Where messages go in, and what they look like."""

    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    topic: str = ""
    key: str | None = None
    http: str = ""
    message: str = ""
    messages: tuple[str, ...] = ()
    properties: dict[str, str] = {}
    headers: dict[str, str] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of message to choose from, as templates."""
        return self.messages or (self.message,)


class OutputTable(_Table, frozen=True, kw_only=True):
    """Where messages come out, and what makes two of them the same one."""

    queues: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    id: str = ""
    dead_letters: str = ""


class Poison(_Table, frozen=True, kw_only=True):
    """A message that no service can make sense of."""

    name: str
    body: str = ""
    body_base64: str = ""
    properties: dict[str, str] = {}
    headers: dict[str, str] = {}
    null: bool = False


class Observe(_Table, frozen=True, kw_only=True):
    """How to see the effects."""

    http: tuple[str, ...] = ()
    command: str = ""
    url: str = ""
    sql: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    settles: Duration | None = None


class Progress(_Table, frozen=True, kw_only=True):
    """How "settled" shows on Kafka."""

    by: Literal["commit", "observe"] = "commit"


class Replay(_Table, frozen=True, kw_only=True):
    """The report that a replay must reproduce; `without` names the variations that are not tried."""

    report: str = ""
    command: str = ""
    vary: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Contract(_Table, frozen=True, kw_only=True):
    """The whole file; `services` holds `service` under its own name, and every service of a chain."""

    input: Input
    broker: BrokerTable = BrokerTable(kind="http")
    service: Service | None = None
    services: dict[str, Service] = {}
    topics: dict[str, Topic] = {}
    output: OutputTable = OutputTable()
    poison: tuple[Poison, ...] = ()
    observe: Observe = Observe()
    progress: Progress = Progress()
    replay: Replay | None = None
    promises: dict[str, Any] = {}

    @property
    def all_services(self) -> dict[str, Service]:
        """Every service by name; a single one is called ``service``."""
        return self.services or ({"service": self.service} if self.service else {})

    @property
    def tables(self) -> dict[str, Service]:
        """Every service by the table that it is written in: ``service``, or ``services.NAME``."""
        return {
            ("service" if self.service else f"services.{name}"): each
            for name, each in self.all_services.items()
        }

    @property
    def brokers(self) -> tuple[BrokerKind, ...]:
        """The kinds of broker that must run: one, or none."""
        return () if self.broker.kind == "http" else (self.broker.kind,)

    @property
    def consumers(self) -> tuple[str, ...]:
        """The services that are told where the broker is."""
        return tuple(name for name, service in self.all_services.items() if service.uses_broker)

    @property
    def common_database(self) -> str:
        """The key that names a database without a placeholder, which every lane would share; empty where none does."""
        texts = {"observe.url": self.observe.url}
        for table, service in self.tables.items():
            texts |= {f"{table}.{key}": text for key, text in service.texts.items()}
        common = (
            key
            for key, text in texts.items()
            if _DATABASE.search(text) and not any(templates.placeholders(text))
        )
        return next(common, "")

    @property
    def reads_queue_type(self) -> bool:
        """Whether a service asks for the type of its queues with ``{queue_type}``."""
        texts = (text for service in self.all_services.values() for text in service.texts.values())
        return any("queue_type" in templates.placeholders(text) for text in texts)

    @property
    def promised(self) -> dict[str, Options]:
        """The promises that are made, with their options."""
        return {name: options(name, value) for name, value in self.promises.items() if value is not False}


class ContractFile(msgspec.Struct, frozen=True, kw_only=True):
    """A contract and where it came from."""

    path: Path
    text: str
    contract: Contract

    @property
    def sha256(self) -> str:
        """What identifies the text: ``sha256:…``."""
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()
