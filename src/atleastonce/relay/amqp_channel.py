"""One AMQP channel as the relay understands it: which tag and which confirm stands for which copy.

Delivery tags count per channel, `multiple` and tag 0 are expanded, ``get-ok`` is a delivery, without
acknowledgements a delivery settles itself, ``recover`` is a nack of everything that is unacknowledged. In a
transaction, publications and acknowledgements count once it is committed; a link that ends before gives all back.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pamqp import commands, frame, header

from atleastonce.history import Event
from atleastonce.relay.amqp_methods import UNREADABLE, Ack, Publish
from atleastonce.relay.codec import COPY_HEADER, From, Names

_MARK = COPY_HEADER.encode()
_NAMED_BY_BROKER = "amq.gen-"


@dataclass
class Content:
    """A method that carries content, while its header and body are still coming."""

    method: Any
    raw: bytearray = field(default_factory=bytearray)
    header: bytes = b""
    missing: int = -1
    body: bytes | bytearray = field(default_factory=bytearray)

    @property
    def properties(self) -> commands.Basic.Properties:
        """Read the properties, which takes its time; none where they cannot be read."""
        with suppress(*UNREADABLE):
            parsed = frame.unmarshal(self.header)[2]
            if isinstance(parsed, header.ContentHeader):
                return parsed.properties
        return commands.Basic.Properties()


class _Owned(NamedTuple):
    """What a delivery tag, or a publication's sequence number, stands for."""

    message: str | None
    copy: str | None
    queue: str


class _Source(NamedTuple):
    """Where deliveries come from, and whether they settle themselves."""

    queue: str
    no_ack: bool


class _Transaction:
    """What was published and settled on a channel since the last commit, each message once."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._selected = False
        self._held: dict[str, _Owned] = {}
        self._committing: dict[str, _Owned] = {}

    def join(self, owned: _Owned) -> None:
        """Take in what was published or settled, where the channel has transactions."""
        if self._selected and owned.message is not None:
            self._held[owned.message] = owned

    def asked(self, method: Any) -> Iterator[Event]:
        """Yield what a method of the subject means to its transaction; the next one begins at once."""
        match method:
            case commands.Tx.Select():
                self._selected = True
            case commands.Tx.Commit():
                self._committing, self._held = self._held, {}
                yield from self._told("tx-commit", "subject")
            case commands.Tx.Rollback():
                self._held = {}

    def committed(self) -> Iterator[Event]:
        """Yield what the broker has committed."""
        yield from self._told("tx-commit-ok", "broker")

    def _told(self, event: str, side: From) -> Iterator[Event]:
        for message, owned in self._committing.items():
            yield Event(event=event, side=side, channel=self._channel, message=message, copy=owned.copy)


class Channel:
    """What the relay must remember of one channel to understand what passes."""

    def __init__(self, number: int, names: Names) -> None:
        self.contents: dict[From, Content] = {}
        self.consumers: dict[str, _Source] = {}
        self.polled: set[str] = set()
        self.closing = False
        self._number = number
        self._names = names
        self._unacked: dict[int, _Owned] = {}
        self._unconfirmed: dict[int, _Owned] = {}
        self._confirms = False
        self._transaction = _Transaction(number)
        self._published = 0
        self._queue = ""
        self._unnamed_is_fleeting = False
        self._consuming: deque[_Source] = deque()
        self._getting: deque[_Source] = deque()

    def close(self, side: From, why: str = "") -> Iterator[Event]:
        """Forget everything but content under way; what passes until close-ok means nothing any more."""
        self.closing = True
        self.consumers.clear()
        yield Event(event="closed", side=side, channel=self._number, note=why)

    def asked(self, method: Any) -> Iterator[Event]:
        """Yield what a method of the subject means."""
        match method:
            case commands.Basic.Consume():
                source = self._source(method)
                if method.nowait:
                    self.consumers[method.consumer_tag or ""] = source
                else:
                    self._consuming.append(source)
                yield self._subscribed(source)
            case commands.Basic.Get():
                source = self._source(method)
                self._getting.append(source)
                if source.queue not in self.polled:
                    self.polled.add(source.queue)
                    yield self._subscribed(source)
            case commands.Queue.Declare():
                yield from self._declared(method)
            case commands.Confirm.Select():
                self._confirms = True
            case commands.Channel.Close():
                yield from self.close("subject")
            case _:
                yield from self._settled(method)
                yield from self._transaction.asked(method)

    def answered(self, method: Any) -> Iterator[Event]:
        """Yield what a method of the broker means."""
        match method:
            case Ack() | commands.Basic.Nack():
                yield from self._confirmed(method, ok=isinstance(method, Ack))
            case commands.Basic.ConsumeOk() if self._consuming:
                self.consumers[method.consumer_tag or ""] = self._consuming.popleft()
            case commands.Basic.Cancel() | commands.Basic.CancelOk():
                self.consumers.pop(method.consumer_tag or "", None)
            case commands.Basic.GetEmpty() if self._getting:
                self._getting.popleft()
            case commands.Queue.DeclareOk():
                self._queue = method.queue or ""
                if self._unnamed_is_fleeting and self._queue.startswith(_NAMED_BY_BROKER):
                    self._names.fleeting.add(self._queue)
            case commands.Tx.CommitOk():
                yield from self._transaction.committed()
            case commands.Channel.Close():
                yield from self.close("broker", method.reply_text or "")

    def carried(self, side: From, content: Content) -> Iterator[Event]:
        """Yield what a message means that has passed whole."""
        if self.closing:
            return
        message, copy = self._identified(content)
        size = len(content.body)
        match content.method:
            case Publish() as method:
                queue = _target(method)
                if queue in self._names.taps:
                    self._names.tapped.append((queue, bytes(content.body), content.properties))
                owned = _Owned(message, copy, queue)
                self._transaction.join(owned)
                if self._confirms:
                    self._published += 1
                    self._unconfirmed[self._published] = owned
                if copy is not None and content.properties.expiration:
                    where = "" if method.exchange else queue
                    yield Event(event="delays", side=side, channel=self._number, queue=where)
                yield Event(
                    event="publish", side=side, channel=self._number, tag=self._published, message=message,
                    copy=copy, queue=queue, size=size,
                )  # fmt: skip
            case commands.Basic.Return() as method:
                yield Event(
                    event="return", side=side, channel=self._number, message=message, copy=copy,
                    queue=_target(method), note=method.reply_text or "",
                )  # fmt: skip
            case method:
                queue, no_ack = self._delivered_from(method)
                if not no_ack:
                    self._unacked[method.delivery_tag] = _Owned(message, copy, queue)
                yield Event(
                    event="deliver", side=side, channel=self._number, tag=method.delivery_tag,
                    message=message, copy=copy, queue=queue, redelivered=method.redelivered, settles=no_ack,
                    size=size,
                )  # fmt: skip

    def _source(self, method: commands.Basic.Consume | commands.Basic.Get) -> _Source:
        """Return what a subscription reads: no name means the queue that was declared last."""
        return _Source(method.queue or self._queue, bool(method.no_ack))

    def _declared(self, method: commands.Queue.Declare) -> Iterator[Event]:
        """Yield for how long messages are to stay in a queue, and keep in mind whether it stays itself."""
        queue, fleeting = method.queue or "", bool(method.exclusive or method.auto_delete)
        self._queue = queue if method.nowait else self._queue
        if not queue:
            self._unnamed_is_fleeting = fleeting
            return
        if fleeting:
            self._names.fleeting.add(queue)
        if _delays(method):
            yield Event(event="delays", side="subject", channel=self._number, queue=queue)
        life = str((method.arguments or {}).get("x-message-ttl", ""))
        if life.isdecimal() and int(life):
            yield Event(event="expires", side="subject", channel=self._number, queue=queue, size=int(life))

    def _subscribed(self, source: _Source) -> Event:
        """Return a subscription; it `settles` where what it holds is gone with the link."""
        gone = source.no_ack or source.queue in self._names.fleeting
        return Event(event="consume", side="subject", channel=self._number, queue=source.queue, settles=gone)

    def _delivered_from(self, method: Any) -> _Source:
        unknown = _Source(method.routing_key, no_ack=False)
        if isinstance(method, commands.Basic.GetOk):
            return self._getting.popleft() if self._getting else unknown
        return self.consumers.get(method.consumer_tag, unknown)

    def _settled(self, method: Any) -> Iterator[Event]:
        match method:
            case Ack():
                event, requeue, tags = "ack", False, _covered(self._unacked, method)
            case commands.Basic.Nack():
                event, requeue, tags = "nack", bool(method.requeue), _covered(self._unacked, method)
            case commands.Basic.Reject(delivery_tag=tag):
                event, requeue, tags = "reject", bool(method.requeue), [tag] if tag in self._unacked else []
            case commands.Basic.Recover() | commands.Basic.RecoverAsync():
                event, requeue, tags = "nack", True, list(self._unacked)
            case _:
                return
        note = "one for several" if len(tags) > 1 else ""
        for tag in tags:
            owned = self._unacked.pop(tag)
            self._transaction.join(owned)
            yield Event(
                event=event, side="subject", channel=self._number, tag=tag, message=owned.message,
                copy=owned.copy, queue=owned.queue, requeue=requeue, settles=not requeue, note=note,
            )  # fmt: skip

    def _confirmed(self, method: Ack | commands.Basic.Nack, *, ok: bool) -> Iterator[Event]:
        for tag in _covered(self._unconfirmed, method):
            owned = self._unconfirmed.pop(tag)
            yield Event(
                event="confirm", side="broker", channel=self._number, tag=tag, message=owned.message,
                copy=owned.copy, queue=owned.queue, ok=ok,
            )  # fmt: skip

    def _identified(self, content: Content) -> tuple[str | None, str | None]:
        body = bytes(content.body)
        if _MARK not in content.header and self._names.message(body, content.header) is None:
            return None, None  # most messages of a busy service
        properties = content.properties
        headers = properties.headers or {}
        found = headers.get(COPY_HEADER)
        mark = found if isinstance(found, str | bytes) else None
        if isinstance(content.method, Publish | commands.Basic.Return):
            message, copy = self._names.copy_again(mark, body)
        else:
            message, copy = self._names.copy(mark)
        if message is None:
            fields = (properties.message_id, properties.correlation_id)
            marks = (str(value).encode() for value in fields if value)
            message = self._names.message(body, *marks, repr(headers).encode() if headers else b"")
        return message, copy


def _delays(method: commands.Queue.Declare) -> bool:
    """Tell whether what lies in a queue goes on to another after a while: a delayed retry."""
    arguments = method.arguments or {}
    return "x-message-ttl" in arguments and "x-dead-letter-exchange" in arguments


def _target(method: Publish | commands.Basic.Return) -> str:
    """Return where a publication goes: a queue, or ``exchange/routing key``."""
    key = method.routing_key or ""
    return f"{method.exchange}/{key}" if method.exchange else key


def _covered(outstanding: dict[int, _Owned], method: Ack | commands.Basic.Nack) -> list[int]:
    """Return the outstanding tags that a method covers; tag 0 with `multiple` is all of them."""
    tag = method.delivery_tag or 0
    if not method.multiple:
        return [tag] if tag in outstanding else []
    return [each for each in outstanding if tag == 0 or each <= tag]
