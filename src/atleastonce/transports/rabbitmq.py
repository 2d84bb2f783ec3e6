"""RabbitMQ for one lane: a virtual host of its own, confirmed publishing, reading what came out."""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import pika
import pika.exceptions

from atleastonce.contract import ContractFile
from atleastonce.errors import ContractError, TransportError
from atleastonce.transports import Envelope, Letter, Receipt, Subscription
from atleastonce.transports.no_log import NoLog
from atleastonce.transports.rabbitmq_management import TRANSLATED, Deleted, Management, translated

_MANY = 4
"""How many messages are taken together, rather than one by one."""
_MOST_TOGETHER = 10_000
"""How many of them at the most: AMQP counts prefetched messages in 16 bits."""
_TOGETHER_WITHIN, _TOGETHER_PULSE = 1.0, 0.05
"""How long these are awaited, in seconds: where another consumer was faster, there are fewer."""
_NOT_FOUND, _LOCKED = 404, 405


def _letter(queue: str, method: Any, properties: pika.BasicProperties, body: bytes) -> Letter:
    fields = {k: v for k, v in vars(properties).items() if v is not None and k != "headers"}
    return Letter(queue, body, fields, properties.headers or {}, method.routing_key)


class RabbitmqNamespace(NoLog):
    """A virtual host, or the one in the broker's URL where there is no management interface to make one."""

    def __init__(self, url: str, management_url: str | None, name: str, contract: ContractFile) -> None:
        self._split = urlsplit(url)
        self._management = Management(management_url) if management_url else None
        self.name = name if self._management else (self._split.path.lstrip("/") or "/")
        self._contract = contract.contract
        self._deleted: dict[str, Deleted] = {}
        self._locked: set[str] = set()
        self._folder = contract.path.parent
        self._opened: (
            tuple[pika.BlockingConnection, pika.adapters.blocking_connection.BlockingChannel] | None
        ) = None

    def __enter__(self) -> Self:
        if self._management:
            self._management.create_vhost(self.name, self._split.username or "guest")
            if self._contract.broker.definitions:
                self._management.import_definitions(
                    self.name, self._folder / self._contract.broker.definitions
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()
        if self._management:
            self._management.delete_vhost(self.name)

    def placeholders(self, host: str, port: int) -> dict[str, str]:
        """Return ``amqp_url``, and the queue type that the run uses."""
        login = f"{self._split.username or 'guest'}:{self._split.password or 'guest'}"
        return {
            "amqp_url": f"amqp://{login}@{host}:{port}/{quote(self.name, safe='')}",
            "queue_type": self._contract.broker.queue_type,
        }

    def ends(self) -> tuple[str, ...]:
        """Return the output queues and the dead-letter queue."""
        output = self._contract.output
        return (*output.queues, *filter(None, (output.dead_letters,)))

    def prepare(self) -> None:
        """Check that the queues which the contract names were declared by the subject."""
        entry, output = self._contract.input, self._contract.output
        named = [("input.queue", entry.queue), ("output.dead_letters", output.dead_letters)]
        for key, queue in (*named, *(("output.queues", queue) for queue in output.queues)):
            if queue and self._count(queue) is None:
                raise ContractError(
                    f"{key}: the queue {queue!r} does not exist after the service got ready; "
                    "name one that the service declares, or declare it in broker.definitions"
                )

    def publish(self, envelope: Envelope) -> Receipt:
        """Publish one persistent copy, mandatory, and wait for the confirm."""
        entry = self._contract.input
        properties = pika.BasicProperties(
            headers=dict(envelope.headers), delivery_mode=2, **envelope.properties
        )
        with translated("publish to the input"):
            try:
                self._channel().basic_publish(
                    entry.exchange,
                    envelope.key or entry.queue,
                    envelope.body or b"",
                    properties,
                    mandatory=True,
                )
            except pika.exceptions.UnroutableError:
                return Receipt(confirmed=False, note="unroutable")
            except pika.exceptions.NackError:
                return Receipt(confirmed=False, note="refused by the broker")
        return Receipt(confirmed=True)

    def outputs(self, consumed: Collection[str] = ()) -> list[Letter]:
        """Take what lies in the output queues that nobody else consumes."""
        queues = (queue for queue in self._contract.output.queues if queue not in consumed)
        return [letter for queue in queues for letter in self._take(queue)]

    def dead_letters(self) -> list[Letter]:
        """Take what lies in the dead-letter queue."""
        queue = self._contract.output.dead_letters
        return list(self._take(queue)) if queue else []

    def depth(self, subscriptions: Collection[Subscription]) -> int:
        """Count the ready messages by passive declaration: the management interface is seconds behind."""
        return sum(self._count(queue) or 0 for queue in {s.queue for s in subscriptions} - self._locked)

    def exists(self, queue: str) -> bool:
        """Tell whether there is such a queue."""
        return self._count(queue) is not None

    def delays(self) -> Mapping[str, bool]:
        """Read from the management interface which queues have a dead-letter exchange, and which a time to live."""
        if self._management is None:
            return {}
        known = self._management.arguments(self.name)
        return {
            queue: "message-ttl" in said
            for queue, said in known.items()
            if "dead-letter-exchange" in said and queue not in self.ends()
        }

    def only_queues(self) -> Mapping[str, str]:
        """Read them from the management interface; none where a file declares the topology: it is not the subject's."""
        if self._management is None or self._contract.broker.definitions:
            return {}
        return self._management.only_queues(self.name)

    def reopen(self) -> None:
        """Forget our connection; the next use opens another."""
        self._drop()

    def unroute(self, queue: str) -> None:
        """Delete a queue with its bindings, and keep in mind what they were."""
        self._deleted[queue] = self._manage().queue(self.name, queue)
        with translated(f"delete the queue {queue!r}"):
            self._channel().queue_delete(queue)

    def reroute(self, queue: str) -> None:
        """Make a queue again that `unroute` deleted, with its bindings; leave one that is there again as it is."""
        if (was := self._deleted.pop(queue, None)) is not None:
            self._manage().make_queue(self.name, queue, was)

    def _manage(self) -> Management:
        if self._management is None:
            raise TransportError(
                "cannot delete a queue and make it again without the management interface; give --management-url"
            )
        return self._management

    def _take(self, queue: str) -> Iterator[Letter]:
        with translated(f"read the queue {queue!r}"):
            while True:
                method, properties, body = self._channel().basic_get(queue, auto_ack=True)
                if method is None:
                    return
                yield _letter(queue, method, properties, body)
                if method.message_count >= _MANY:
                    yield from self._take_together(queue, method.message_count)

    def _take_together(self, queue: str, count: int) -> list[Letter]:
        """Take so many messages as a consumer: to get them one by one costs a round trip each.

        They are acknowledged once the consumer is gone. Were they settled as they are sent, pika would drop what the
        broker sends before it has heard of the end (pika.channel, `_on_deliver`); and no more are sent than we want.
        """
        channel, found = self._channel(), list[tuple[Any, Any, bytes]]()
        wanted = min(count, _MOST_TOGETHER)
        channel.basic_qos(prefetch_count=wanted)
        tag = channel.basic_consume(queue, lambda _, *delivery: found.append(delivery))
        deadline = time.monotonic() + _TOGETHER_WITHIN
        while len(found) < wanted and time.monotonic() < deadline:
            channel.connection.process_data_events(time_limit=_TOGETHER_PULSE)
        channel.basic_cancel(tag)
        if found:
            channel.basic_ack(found[-1][0].delivery_tag, multiple=True)
        return [_letter(queue, *delivery) for delivery in found]

    def _count(self, queue: str) -> int | None:
        """Return how many messages are ready in a queue, or None where there is no such queue.

        The broker tells it to nobody but the connection that declared a queue as its own ("exclusive"): it counts as
        empty, since that connection consumes it for as long as there is such a queue.
        """
        with translated(f"read the depth of the queue {queue!r}"):
            try:
                return int(self._channel().queue_declare(queue, passive=True).method.message_count)
            except pika.exceptions.ChannelClosedByBroker as exc:
                self._drop()
                if exc.reply_code == _NOT_FOUND:
                    return None
                if exc.reply_code == _LOCKED:
                    self._locked.add(queue)
                    return 0
                raise

    def _channel(self) -> pika.adapters.blocking_connection.BlockingChannel:
        if self._opened is None or not self._opened[1].is_open:
            self._drop()
            connection = pika.BlockingConnection(self._parameters())
            channel = connection.channel()
            channel.confirm_delivery()
            self._opened = (connection, channel)
        return self._opened[1]

    def _parameters(self) -> pika.ConnectionParameters:
        credentials = pika.PlainCredentials(self._split.username or "guest", self._split.password or "guest")
        return pika.ConnectionParameters(
            self._split.hostname or "127.0.0.1",
            self._split.port or 5672,
            self.name,
            credentials,
            heartbeat=0,  # a lane may be silent for as long as a subject starts; nobody would answer
            blocked_connection_timeout=10,
            socket_timeout=5,
        )

    def _drop(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(*TRANSLATED):  # it is gone either way
                opened[0].close()


def echo(url: str) -> None:
    """Publish one message to a queue of our own, receive it and acknowledge it; raise TransportError."""
    with translated("send a message through the broker"):
        connection = pika.BlockingConnection(pika.URLParameters(url))
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish("", queue, b"canary", mandatory=True)
        method, _, _ = channel.basic_get(queue)
        channel.basic_ack(method.delivery_tag)
        connection.close()
