"""The contract file, ``atleastonce.toml``, as frozen data.

What users write is fixed (CONTRACT: *The contract*). Whatever is wrong with a file is one `ContractError` whose
message names the key, what was found and what is expected.
"""

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from atleastonce import templates
from atleastonce.durations import Duration
from atleastonce.errors import ContractError
from atleastonce.promises import PROMISES, Options

BrokerKind = Literal["rabbitmq", "kafka"]
QueueType = Literal["quorum", "classic"]

RUNTIME = (
    "amqp_url",
    "kafka_bootstrap",
    "group",
    "port",
    "data_dir",
    "instance",
    "queue_type",
    "topic:",
    "http:",
)
"""What stands in the texts that start and observe a service; a colon means that an argument follows."""
MESSAGE = ("id", "message_id", "n")
"""What stands in the texts that make a message."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A table of the file: unknown keys are errors."""


class Service(_Table, frozen=True, kw_only=True):
    """How to start the service under test."""

    command: str = ""
    image: str = ""
    ready: str = ""
    ready_within: Duration = Duration(10)
    health: str = ""
    instances: int = 1
    reset: Literal["fresh-ids", "restart"] = "fresh-ids"
    env: dict[str, str] = {}


class BrokerTable(_Table, frozen=True, kw_only=True):
    """Which broker the service needs."""

    kind: BrokerKind
    queue_type: QueueType = "quorum"
    definitions: str = ""


class Topic(_Table, frozen=True, kw_only=True):
    """A Kafka topic that the runner creates."""

    partitions: int = 1


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
    """The report that a replay must reproduce."""

    report: str = ""
    command: str = ""
    vary: tuple[str, ...] = ()


class Contract(_Table, frozen=True, kw_only=True):
    """The whole file; `services` holds `service` under its own name, and every service of a chain."""

    broker: BrokerTable
    input: Input
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
    def promised(self) -> dict[str, Options]:
        """The promises that are made, with their options."""
        made = {
            name: {} if value is True else value
            for name, value in self.promises.items()
            if value is not False
        }
        return {
            name: msgspec.convert(value, PROMISES[name].options, dec_hook=_custom)
            for name, value in made.items()
        }


class ContractFile(msgspec.Struct, frozen=True, kw_only=True):
    """A contract and where it came from."""

    path: Path
    text: str
    contract: Contract

    @property
    def sha256(self) -> str:
        """What identifies the text: ``sha256:…``."""
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()


def load(path: Path) -> ContractFile:
    """Read a contract file; raise ContractError where anything is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        found = exc.strerror or exc
        raise ContractError(f"cannot read the contract {path}: {found}; name a contract file (TOML)") from exc
    except UnicodeDecodeError as exc:
        raise ContractError(
            f"cannot read the contract {path}: it is no text; name a contract file (TOML)"
        ) from exc
    try:
        return ContractFile(path=path, text=text, contract=parse(text))
    except ContractError as exc:
        raise ContractError(f"{path}: {exc}") from exc.__cause__


def parse(text: str) -> Contract:
    """Read the text of a contract; raise ContractError where anything is wrong with it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ContractError(f"this is no TOML: {exc}") from exc
    contract: Contract = _convert(data, Contract, "")
    for name in contract.promises:
        if name not in PROMISES:
            raise ContractError(f"promises.{name}: there is no such promise{_nearest(name, PROMISES)}")
    for name, value in contract.promises.items():
        if not isinstance(value, bool):
            _convert(value, PROMISES[name].options, f"promises.{name}")
    for problem in (*_problems(contract), *_unknown_placeholders(contract)):
        raise ContractError(problem)
    return contract


def _problems(contract: Contract) -> Iterator[str]:
    """Yield what no single key is wrong about."""
    services, entry = contract.all_services, contract.input
    if not services:
        yield "service: found none; add a table [service] with the command that starts it"
    if contract.service and contract.services:
        yield "service: found beside [services.…]; keep one of the two"
    for name, service in services.items():
        if not service.command and not service.image:
            where = "service" if contract.service else f"services.{name}"
            yield f"{where}.command: found none; write the command that starts the service"
    ways = [way for way in ("queue", "exchange", "topic", "http") if getattr(entry, way)]
    if len(ways) != 1:
        yield f"input: found {' and '.join(ways) or 'no way in'}; name exactly one of queue, exchange, topic, http"
    if not any(entry.kinds):
        yield "input.message: found none; write the message to send, with {id} for its business identity"
    if contract.broker.kind == "kafka" and entry.topic and entry.topic not in contract.topics:
        yield f"input.topic: {entry.topic!r} is no table of [topics]{_nearest(entry.topic, contract.topics)}"
    for topic in contract.output.topics:
        if topic not in contract.topics:
            yield f"output.topics: {topic!r} is no table of [topics]{_nearest(topic, contract.topics)}"
    if not contract.promised:
        yield f"promises: found none; promise at least one of {', '.join(PROMISES)}"


def _unknown_placeholders(contract: Contract) -> Iterator[str]:
    single = contract.service is not None
    texts: list[tuple[str, str, tuple[str, ...]]] = []
    for name, service in contract.all_services.items():
        where = "service" if single else f"services.{name}"
        texts += [(f"{where}.{k}", getattr(service, k), RUNTIME) for k in ("command", "ready", "health")]
        texts += [(f"{where}.env.{key}", value, RUNTIME) for key, value in service.env.items()]
    entry, observe = contract.input, contract.observe
    texts += [("input.message", kind, MESSAGE) for kind in entry.kinds]
    texts += [("input.key", entry.key or "", MESSAGE), ("input.http", entry.http, RUNTIME)]
    texts += [(f"input.properties.{key}", value, MESSAGE) for key, value in entry.properties.items()]
    texts += [(f"input.headers.{key}", value, MESSAGE) for key, value in entry.headers.items()]
    texts += [("observe.http", address, RUNTIME + MESSAGE) for address in observe.http]
    texts += [
        (key, getattr(observe, key.rpartition(".")[2]), RUNTIME + MESSAGE) for key in ("observe.command",)
    ]
    for key, text, known in texts:
        for name in templates.unknown(text, known):
            names = ", ".join(f"{{{k}NAME}}" if k.endswith(":") else f"{{{k}}}" for k in known)
            yield f"{key}: there is no placeholder {{{name}}}; known here are {names} ({{{{{name}}}}} is the text)"
        topics = (
            name.partition(":")[2] for name in templates.placeholders(text) if name.startswith("topic:")
        )
        for topic in topics:
            if topic not in contract.topics:
                yield f"{key}: {{topic:{topic}}} names no table of [topics]{_nearest(topic, contract.topics)}"


_PATH = re.compile(r"(?s)(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<key>.*)`")


def _convert(data: Any, kind: type, at: str) -> Any:
    try:
        return msgspec.convert(data, kind, dec_hook=_custom)
    except msgspec.ValidationError as exc:
        found = _PATH.fullmatch(str(exc))
        what, path = (found["what"], found["path"]) if found else (str(exc), None)
        path = ".".join(part for part in (at, (path or "$").removeprefix("$").lstrip(".")) if part)
        if (unknown := _UNKNOWN_FIELD.fullmatch(what)) is not None:
            known = _keys_at(kind, path.removeprefix(at).lstrip("."))
            key = ".".join(part for part in (path, unknown["key"]) if part)
            raise ContractError(f"{key}: there is no such key{_nearest(unknown['key'], known)}") from exc
        raise ContractError(f"{path or 'the file'}: {what[:1].lower()}{what[1:]}") from exc


def _custom(kind: type, value: Any) -> Any:
    if kind is Duration:
        return Duration.parse(value)
    raise TypeError(kind)


def _keys_at(kind: Any, path: str) -> list[str]:
    """Return the keys that the table at this path of a type may have."""
    for part in (p for p in re.split(r"\.|(?=\[)", path) if p):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kind = next((f.type for f in msgspec.structs.fields(kind) if f.encode_name == part), None)
        else:
            kind = next((a for a in reversed(get_args(kind)) if a is not Ellipsis), None)
        if get_origin(kind) is not None and type(None) in get_args(kind):
            kind = next(a for a in get_args(kind) if a is not type(None))
        elif type(None) in get_args(kind):
            kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(kind)]
    return []


def _nearest(name: str, known: Any) -> str:
    """Return ``; did you mean …`` or, where nothing is near, the list of what there is."""
    near = difflib.get_close_matches(name, list(known), n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"
