"""Finds what is wrong with a contract although every single key is right: keys that contradict each other."""

import base64
import re
from collections.abc import Iterator

from atleastonce import templates
from atleastonce.contract import Contract
from atleastonce.conversion import element, near, shown
from atleastonce.promises import PROMISES
from atleastonce.schedule import VARIATIONS

EVERYWHERE = ("port", "data_dir", "lane", "instance", "http:")
RUNTIME = {
    "rabbitmq": ("amqp_url", "queue_type", *EVERYWHERE),
    "kafka": ("kafka_bootstrap", "group", "topic:", *EVERYWHERE),
    "http": EVERYWHERE,
}
"""What stands in the texts that start and observe a service; a colon means that an argument follows."""
MESSAGE = (*templates.OF_A_MESSAGE, f"{templates.PAD}:")
"""What stands in the texts that make a message."""
_HTTP = re.compile(r"[A-Z]+ (http://|\{http:)\S+")
_OUTPUT_ID = re.compile(r"header:.+|(?:\$(?:\.[^.\[\]*]+)+)")
_ARGUMENTS = {"http:": "NAME", "topic:": "NAME", f"{templates.PAD}:": "NUMBER"}
_MOST_PAD = 16 * 1024 * 1024

PROPERTIES = (
    "message_id", "correlation_id", "content_type", "content_encoding", "type", "app_id", "user_id",
    "reply_to", "expiration", "cluster_id",
)  # fmt: skip
"""The AMQP properties that are text; `delivery_mode` is always persistent."""

_FOREIGN = {
    "rabbitmq": {
        "input.topic": "input.queue",
        "output.topics": "output.queues",
    },
    "kafka": {
        "input.queue": "input.topic",
        "input.exchange": "input.topic",
        "input.routing_key": "input.key",
        "input.properties": "input.headers",
        "output.queues": "output.topics",
    },
    "http": dict.fromkeys(
        (
            *("input.queue", "input.exchange", "input.topic", "input.key", "input.routing_key"),
            *("output.queues", "output.topics", "output.dead_letters"),
        ),
        "a table [broker] with its kind",
    ),
}
"""The keys that the kind of broker does not know, and what takes their place."""


def problems(contract: Contract) -> Iterator[str]:
    """Yield a sentence for everything that is wrong."""
    yield from _services(contract)
    yield from _input(contract)
    yield from _output_id(contract)
    yield from _foreign(contract)
    yield from _topics(contract)
    yield from _poison(contract)
    for path in contract.observe.ignore:
        if not path.startswith("$"):
            yield f'observe.ignore: found {shown(path)}, expected a path like "$.updated_at"'
    if contract.observe.sql and not contract.observe.url:
        yield "observe.url: found none, expected the database to query, such as sqlite:///{data_dir}/shop.db"
    yield from _replay(contract)
    if contract.progress.by == "observe" and not _observed(contract):
        yield 'progress.by: found "observe" and nothing observed, expected observe.http, observe.command or observe.sql'
    yield from _promises(contract)
    if not contract.promised:
        yield f"promises: found none, expected at least one of {', '.join(PROMISES)}"
    for key, text, known in _texts(contract):
        yield from _placeholders(contract, key, text, known)


def _services(contract: Contract) -> Iterator[str]:
    if not contract.all_services:
        yield "service: found none, expected a table [service] with the command that starts it"
    if contract.service and contract.services:
        yield "service: found beside [services.…], expected one of the two"
    for name in contract.services:
        stem, _, number = name.rpartition("-")
        if number.isdecimal() and stem in contract.services:
            yield f"services.{name}: found beside services.{stem}, whose instances have such names; name it otherwise"
    for where, service in contract.tables.items():
        if bool(service.command) == bool(service.image):
            found = "one beside an image" if service.command else "none"
            yield f"{where}.command: found {found}, expected the command (or image) that starts it"


def _input(contract: Contract) -> Iterator[str]:
    entry = contract.input
    ways = [way for way in ("queue", "exchange", "topic", "http") if getattr(entry, way)]
    if len(ways) != 1:
        found = " and ".join(ways) or "no way in"
        yield f"input: found {found}, expected exactly one of queue, exchange, topic, http"
    if bool(entry.message) == bool(entry.messages) or not all(entry.kinds):
        found = "both message and messages" if entry.message else "none"
        yield f"input.message: found {found}, expected the message to send, with {{id}} for its identity"
    if entry.http and not _HTTP.fullmatch(entry.http):
        yield f"input.http: found {shown(entry.http)}, expected a method and an address: POST http://127.0.0.1:{{port}}/order"
    if entry.routing_key and not entry.exchange:
        yield "input.routing_key: found without an exchange, expected input.exchange beside it"
    if entry.http and entry.properties:
        yield "input.properties: found beside input.http, expected input.headers"
    for name in entry.properties:
        if contract.broker.kind == "rabbitmq" and name not in PROPERTIES:
            yield f"input.properties.{name}: there is no such text property{near(name, PROPERTIES)}"


def _replay(contract: Contract) -> Iterator[str]:
    replay = contract.replay
    if replay is not None and bool(replay.report) == bool(replay.command):
        found = "one beside a command" if replay.report else "none"
        yield f"replay.report: found {found}, expected the address of the report (or replay.command, which prints it)"
    for way in replay.without if replay is not None else ():
        if way not in VARIATIONS:
            yield f"replay.without: there is no such variation, {shown(way)}{near(way, VARIATIONS)}"
    if "replays-identically" not in contract.promised:
        return
    if contract.broker.kind != "kafka":
        found = f'found with broker.kind "{contract.broker.kind}"'
        yield f"promises.replays-identically: {found}, expected Kafka, whose log can be read again"
    elif replay is None:
        yield "replay: found none, expected the report that is promised to be the same (replays-identically)"


def _promises(contract: Contract) -> Iterator[str]:
    """Yield the promise that there is nothing to judge by."""
    if "tells-health" in contract.promised and not any(
        each.health for each in contract.all_services.values()
    ):
        yield "promises.tells-health: found without service.health, expected the address that tells it"


def _observed(contract: Contract) -> bool:
    observe = contract.observe
    return bool(observe.http or observe.command or observe.sql)


def _output_id(contract: Contract) -> Iterator[str]:
    declared, kafka = contract.output.id, contract.broker.kind == "kafka"
    if (
        declared
        and declared not in (("key",) if kafka else PROPERTIES)
        and not _OUTPUT_ID.fullmatch(declared)
    ):
        ways, hint = ("key", "") if kafka else ("a property", near(declared, PROPERTIES))
        yield f"output.id: found {shown(declared)}, expected {ways}, header:NAME or a path like $.order_id{hint}"


def _poison(contract: Contract) -> Iterator[str]:
    for number, poison in enumerate(contract.poison):
        where = element("poison", number, poison.name)
        ways = [way for way in ("body", "body_base64", "null") if getattr(poison, way)]
        if len(ways) > 1:
            yield f"{where}: found {' and '.join(ways)}, expected one of body, body_base64, null"
        if poison.null and contract.broker.kind != "kafka":
            yield f'{where}.null: found with broker.kind "{contract.broker.kind}", expected a body'
        try:
            base64.b64decode(poison.body_base64, validate=True)
        except ValueError as exc:
            yield f"{where}.body_base64: found no base64 ({exc}), expected the bytes of a message in base64"
        for name in poison.properties:
            if contract.broker.kind == "rabbitmq" and name not in PROPERTIES:
                yield f"{where}.properties.{name}: there is no such text property{near(name, PROPERTIES)}"


def _foreign(contract: Contract) -> Iterator[str]:
    kind = contract.broker.kind
    for key, instead in _FOREIGN[kind].items():
        table, _, name = key.partition(".")
        if getattr(getattr(contract, table), name):
            found = "without a broker" if kind == "http" else f'with broker.kind "{kind}"'
            yield f"{key}: found {found}, expected {instead}"


def _topics(contract: Contract) -> Iterator[str]:
    if contract.broker.kind != "kafka":
        return
    entry, output = contract.input, contract.output
    named = [("input.topic", entry.topic), *(("output.topics", topic) for topic in output.topics)]
    for key, topic in (*named, ("output.dead_letters", output.dead_letters)):
        if topic and topic not in contract.topics:
            yield f"{key}: {shown(topic)} is no table of [topics]{near(topic, contract.topics)}"


def _placeholders(contract: Contract, key: str, text: str, known: tuple[str, ...]) -> Iterator[str]:
    for name in templates.unknown(text, known):
        names = ", ".join(
            f"{{{each}{_ARGUMENTS.get(each, 'NAME')}}}" if each.endswith(":") else f"{{{each}}}"
            for each in known
        )
        escaped = f"{{{{{name}}}}}"
        yield f"{key}: there is no placeholder {{{name}}}; known here are {names} ({escaped} is the text)"
    tables = {"topic": ("topics", tuple(contract.topics)), "http": ("services", tuple(contract.services))}
    for name in templates.placeholders(text):
        word, _, argument = name.partition(":")
        table, entries = tables.get(word, ("", ()))
        if argument and table and argument not in entries:
            yield f"{key}: {{{name}}} names no table of [{table}]{near(argument, entries)}"
        if word == templates.PAD and not (argument.isdecimal() and int(argument) <= _MOST_PAD):
            yield f"{key}: found {{{name}}}, expected a number of letters up to {_MOST_PAD}"


def _texts(contract: Contract) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every text that may hold placeholders: its key, itself, and what is known there."""
    entry, observe, runtime = contract.input, contract.observe, RUNTIME[contract.broker.kind]
    for where, service in contract.tables.items():
        texts = service.texts | {"ready": service.ready, "health": service.health}
        yield from ((f"{where}.{key}", text, runtime) for key, text in texts.items())
    yield from (("input.message", kind, MESSAGE) for kind in entry.kinds)
    yield ("input.key", entry.key or "", MESSAGE)
    yield ("input.routing_key", entry.routing_key, MESSAGE)
    yield ("input.http", entry.http, runtime + MESSAGE)
    for table in ("properties", "headers"):
        yield from ((f"input.{table}.{key}", text, MESSAGE) for key, text in getattr(entry, table).items())
    for number, poison in enumerate(contract.poison):
        where = element("poison", number, poison.name)
        yield (f"{where}.body", poison.body, MESSAGE)
        for table in ("properties", "headers"):
            texts = getattr(poison, table).items()
            yield from ((f"{where}.{table}.{key}", text, MESSAGE) for key, text in texts)
    yield from (("observe.http", address, runtime + MESSAGE) for address in observe.http)
    yield ("observe.command", observe.command, runtime + MESSAGE)
    yield ("observe.url", observe.url, runtime)
    yield from (("observe.sql", query, runtime + MESSAGE) for query in observe.sql)
    if contract.replay is not None:
        yield ("replay.report", contract.replay.report, runtime)
        yield ("replay.command", contract.replay.command, runtime)
