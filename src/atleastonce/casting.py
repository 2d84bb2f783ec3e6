"""Casts the messages of a schedule for one case: gives them ids of their own, and takes these out of what is seen.

Ids are UUIDs made from the case, whose name no other case ever had, so that finding one in an output proves which
input it belongs to, and two runs compare once each id is replaced by its name: ``<m1.id>``.
"""

import base64
import itertools
import json
import re
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from atleastonce import poisons, templates
from atleastonce.contract import Contract
from atleastonce.errors import UsageError
from atleastonce.history import Output
from atleastonce.relay.codec import COPY_HEADER, HEX, Names
from atleastonce.schedule import SENTINEL, Message, Schedule
from atleastonce.transports import Envelope, Letter

_SPACE = uuid.UUID("6f1d3f0e-5a3c-4f0e-9a70-a71ea570ce00")
_ID = re.compile(
    rf"{HEX}(?:{HEX}{{7}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}|(?<=\d)(?<!\d\d)\d{{9}}(?!\d))"
)
"""How ids of ours look: a UUID, or a running number."""
_SHORTEST = 10
"""How long the shortest of them is."""
_ZLIB = 8
"""The fewest bytes that zlib makes."""
_MOST_UNPACKED = 64 * 1024 * 1024
"""What is larger is compared as it came, in bytes."""
_SHOWN = 12
"""How many bytes of a body that was changed are shown."""


class Cast:
    """The messages of one case, the sentinel among them."""

    def __init__(
        self, case: str, schedule: Schedule, contract: Contract, numbers: Iterator[int], names: Names
    ) -> None:
        self._contract = contract
        self._names = names
        self._copies: dict[str, int] = {}
        self.messages = {**schedule.messages, SENTINEL: _sentinel(schedule, contract)}
        self.values = {
            name: {
                "id": str(uuid.uuid5(_SPACE, f"{case}/{name}/id")),
                "message_id": str(uuid.uuid5(_SPACE, f"{case}/{name}/message_id")),
                "n": str(next(numbers)),
            }
            for name in self.messages
        }
        self._named = {
            value: f"<{name}.{key}>" for name, values in self.values.items() for key, value in values.items()
        }
        ids = ((values[key], name) for name, values in self.values.items() for key in ("id", "message_id"))
        self._kinds = poisons.kinds(contract)
        if any((message.poison or 0) >= len(self._kinds) for message in schedule.messages.values()):
            raise UsageError(
                f"the schedule sends a kind of poison that the contract does not have: found {len(self._kinds)} "
                "kinds; replay it on the contract that it was found with"
            )
        self._bodies = {name: self._body(name, message) for name, message in self.messages.items()}
        names.begin(case, ids, {name: body or b"" for name, body in self._bodies.items()})

    def next_copy(self, message: str) -> tuple[str, Envelope]:
        """Return the name of the next copy of a message, and the copy ready to send."""
        self._copies[message] = self._copies.get(message, 0) + 1
        copy = f"{message}#{self._copies[message]}"
        values, properties, headers = self.values[message], *self._fields(message)
        entry = self._contract.input
        key = entry.key if self._contract.broker.kind == "kafka" else entry.routing_key or None
        mark = {} if entry.http else {COPY_HEADER: self._names.copy_header(copy)}
        return copy, Envelope(
            body=self._bodies[message],
            properties={key: templates.fill(text, values) for key, text in properties.items()},
            headers={**{key: templates.fill(text, values) for key, text in headers.items()}, **mark},
            key=None if key is None else templates.fill(key, values),
            values=values,
        )

    def keys(self) -> dict[str, str]:
        """Return of each message what it shares with those whose order counts: its key, or what it is sent to."""
        entry = self._contract.input
        key = entry.key or entry.routing_key or entry.queue
        return {name: templates.fill(key, values) for name, values in self.values.items()}

    def _fields(self, message: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the templates of the properties and the headers of a message."""
        entry, number = self._contract.input, self.messages[message].poison
        if number is None:
            return entry.properties, entry.headers
        kind = self._kinds[number]
        return {**entry.properties, **kind.properties}, {**entry.headers, **kind.headers}

    def _body(self, name: str, message: Message) -> bytes | None:
        if message.poison is not None:
            return poisons.body(self._kinds[message.poison], self.values[name])
        return templates.fill(message.body, self.values[name]).encode()

    def addresses(self, template: str, runtime: Mapping[str, str]) -> dict[str, str]:
        """Return the addresses to observe for a template, under the name that two runs share.

        What differs from run to run says nothing of the effect, and stays a placeholder; which service is asked does.
        """
        shared = {key: key.partition(":")[2] if key.startswith("http:") else f"{{{key}}}" for key in runtime}
        if not {*templates.placeholders(template)} & {*templates.OF_A_MESSAGE}:
            return {_path(templates.fill(template, shared)): templates.fill(template, runtime)}
        found = {}
        for name, values in self.values.items():
            shown = {key: f"<{name}.{key}>" for key in values}
            label = templates.fill(template, {**shared, **shown})
            found[_path(label)] = templates.fill(template, {**runtime, **values})
        return found

    def anonymous(self, value: Any) -> Any:
        """Return a JSON value in which the ids of this case are replaced by their names."""
        if isinstance(value, str):
            if len(value) < _SHORTEST:
                return value
            return _ID.sub(lambda match: self._named.get(match.group().lower(), match.group()), value)
        if isinstance(value, int) and _ID.fullmatch(str(value)):
            return self._named.get(str(value), value)
        if isinstance(value, dict):
            return {self.anonymous(key): self.anonymous(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.anonymous(each) for each in value]
        return value

    def copy_again(self, letter: Letter) -> tuple[str | None, str | None]:
        """Return message and copy of a letter that is one of our own copies, set aside or passed on."""
        return self._names.copy_again(letter.headers.get(COPY_HEADER), letter.body)

    def late(self, letter: Letter) -> bool:
        """Tell whether a letter belongs to an earlier case: it came out after that one was judged."""
        mark = letter.headers.get(COPY_HEADER)
        if mark is not None and self._names.copy(mark)[0] is None:
            return True
        return self._names.message(*_marks(letter)) is None and self._names.late(*_marks(letter))

    def output(self, letter: Letter) -> Output:
        """Return a letter from the broker as an output of this case."""
        decoded = self._decoded(letter.body)
        identity = _identity(self._contract.output.id, letter, decoded)
        message = self._names.copy(letter.headers.get(COPY_HEADER))[0]
        return Output(
            queue=letter.queue,
            id=identity,
            message=message or self._names.message(*_marks(letter)),
            body=self.anonymous(_masked(decoded, identity)),
            headers={str(key): self.anonymous(_plain(value)) for key, value in letter.headers.items()},
            key=letter.key,
        )

    def _decoded(self, body: bytes | None) -> Any:
        """Return a body as JSON, as text, or as bytes in which the ids of this case are replaced by their names."""
        if body is None:
            return None
        try:
            text = body.decode()
        except UnicodeDecodeError:
            if (opened := _unpacked(body)) != body:
                return self._decoded(opened)
            named = self.anonymous(body.decode("latin-1")).encode("latin-1")
            return {"$base64": base64.b64encode(named).decode()}
        try:
            return json.loads(text)
        except ValueError:
            return text

    def dead_letter(self, letter: Letter) -> Output:
        """Return a dead letter, and what of it is not as it was sent.

        It is known by our header or an id of ours; where a service has lost both, by an equal body.
        """
        output = self.output(letter)
        message = output.message or self._same_body(letter)
        if message is None:
            return output
        sent, found = self._bodies[message] or b"", letter.body or b""
        changed = [f"body ({_shown(found)}, where {_shown(sent)} was sent)"] if found != sent else []
        _, headers = self._fields(message)
        if COPY_HEADER not in letter.headers:
            changed.append(f"header {COPY_HEADER}")
        for key, text in headers.items():
            if _plain(letter.headers.get(key)) != templates.fill(text, self.values[message]):
                changed.append(f"header {key}")
        return msgspec.structs.replace(output, message=message, changed=tuple(changed))

    def _same_body(self, letter: Letter) -> str | None:
        found = (name for name, body in self._bodies.items() if (body or b"") == (letter.body or b""))
        return next(found, None)


def _shown(body: bytes) -> str:
    """Return the length of a body, and how it begins."""
    more = " …" if len(body) > _SHOWN else ""
    return f"{len(body)} bytes {body[:_SHOWN].hex(' ')}{more}".rstrip()


def cast_list(contract: Contract, count: int) -> dict[str, Message]:
    """Return the messages ``m1`` … of a schedule, taking the contract's kinds in turn."""
    kinds = itertools.cycle(contract.input.kinds)
    return {
        f"m{n}": Message(id=f"o{n}", body=body) for n, body in zip(range(1, count + 1), kinds, strict=False)
    }


def _sentinel(schedule: Schedule, contract: Contract) -> Message:
    return schedule.messages.get(SENTINEL) or Message(id=SENTINEL, body=contract.input.kinds[0])


def _path(address: str) -> str:
    """Return an address without host and port, which say nothing about the effect."""
    return re.sub(r"^https?://[^/]*", "", address) or "/"


def _plain(value: Any) -> Any:
    """Return a header's value as JSON has it; clients have types of their own, integers among them."""
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case str() | float() | bool() | None:
            return value
        case int():
            return int(value)
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
    return str(value)


def _identity(declared: str, letter: Letter, body: Any) -> str | None:
    """Return what makes this output the same as another, or None where the contract declares nothing."""
    if not declared:
        return None
    if declared == "key":
        found: Any = letter.key
    elif declared.startswith("header:"):
        found = letter.headers.get(declared.removeprefix("header:"))
    elif declared.startswith("$."):
        found = body
        for step in declared.removeprefix("$.").split("."):
            found = found.get(step) if isinstance(found, dict) else None
    else:
        found = letter.properties.get(declared, letter.headers.get(declared))
    return None if found is None else found.decode() if isinstance(found, bytes) else str(found)


def _marks(letter: Letter) -> Iterator[bytes]:
    """Yield where an id of ours may stand in a letter: the body first."""
    yield _unpacked(letter.body or b"")
    yield from (str(mark).encode() for mark in (letter.key, *letter.properties.values()) if mark)
    yield from (str(mark).encode() for mark in letter.headers.values() if mark)


def _unpacked(body: bytes) -> bytes:
    """Return what a body holds that is compressed, by gzip or zlib, whatever its headers say; else itself."""
    if body[:2] != b"\x1f\x8b" and (
        len(body) < _ZLIB or body[0] & 15 != zlib.DEFLATED or int.from_bytes(body[:2]) % 31
    ):
        return body
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # takes both
    try:
        opened = reader.decompress(body, _MOST_UNPACKED)
    except zlib.error:
        return body
    return opened if reader.eof and not reader.unused_data else body


def _masked(value: Any, identity: str | None) -> Any:
    """Return a body in which the output's own id is replaced: it is identity, not content."""
    if identity is None:
        return value
    if isinstance(value, dict):
        return {key: _masked(each, identity) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, identity) for each in value]
    scalar = isinstance(value, str | int) and not isinstance(value, bool)
    return "<output id>" if scalar and str(value) == identity else value


def dead_letters(cast: Cast, letters: Iterable[Letter]) -> tuple[Output, ...]:
    """Return dead letters from the broker, without what came too late from earlier cases."""
    return tuple(cast.dead_letter(letter) for letter in letters if not cast.late(letter))


def outputs(cast: Cast, letters: Iterable[Letter]) -> tuple[Output, ...]:
    """Return letters from the broker as outputs of a case, without what came too late from earlier ones."""
    return tuple(cast.output(letter) for letter in letters if not cast.late(letter))
