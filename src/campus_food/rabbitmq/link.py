"""Holds a link to RabbitMQ through whatever happens to it, and publishes with confirms."""

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

from campus_food import injection, settings
from campus_food.database import TRANSIENT
from campus_food.messages import Event
from campus_food.rabbitmq import topology
from campus_food.worker import Worker

PERSISTENT = 2

# Seconds. Both sides send at least that often, and a side that hears nothing for two or three times as long
# closes the link. Above what a wait for a locked database may take, in which none is sent.
HEARTBEAT = 4
# Seconds without a byte after which a link counts as dead for the health that is shown: above HEARTBEAT, and
# below the 10 s within which a service has to say that it cannot work.
SILENCE = 6
# Seconds. The broker stops reading from publishers while it is short of memory or disk; pika waits for ever.
BLOCKED = 30
# Seconds between looks at `stopping`.
GLANCE = 0.1


@dataclass(frozen=True, slots=True)
class Link:
    """How a service reaches the broker, how much it takes at once, and how often it tries."""

    amqp_url: str
    queue_type: str
    prefetch: int
    attempts: int
    inject: bool


def link_from(environ: Mapping[str, str]) -> Link:
    """Read the link's settings; raises `SettingError`."""
    queue_type = environ.get("QUEUE_TYPE") or topology.QUEUE_TYPES[0]
    if queue_type not in topology.QUEUE_TYPES:
        known = " or ".join(topology.QUEUE_TYPES)
        raise settings.SettingError(f"QUEUE_TYPE: expected {known}, found {queue_type!r}")
    url = settings.required(environ, "AMQP_URL")
    try:
        pika.URLParameters(url)
    except ValueError as error:
        expected = "amqp://user:password@host:port/vhost"
        raise settings.SettingError(f"AMQP_URL: expected {expected} ({error})") from error
    return Link(
        amqp_url=url,
        queue_type=queue_type,
        prefetch=settings.whole(environ, "PREFETCH", 20, at_most=65535),
        # Well below the queues' own limit, which must never strike first.
        attempts=settings.whole(environ, "ATTEMPTS", 5, at_most=topology.DELIVERY_LIMIT // 10),
        inject=injection.allowed(environ),
    )


class Linked(Worker):
    """Works over one connection at a time; what the work is, is for the subclass to say.

    Promise: what `publish` returns from is on the broker. Of a lost link nothing is kept.
    """

    outages = (AMQPError, OSError)
    transient = (*TRANSIENT, NackError, UnroutableError)

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link
        self._connection: Any = None
        self._publishing: Any = None
        self._bytes = 0
        self._heard = 0.0

    @abstractmethod
    def serve(self) -> None:
        """Work until `stopping` is set, call `listen` all the while; `problem` is None while work can be done."""

    def connected(self) -> None:
        """Do what must be done before the work of a session begins: nothing, unless a service has something."""

    def session(self) -> None:
        """Hold one connection until it breaks or the worker is to stop."""
        with pika.BlockingConnection(_parameters(self.link)) as self._connection:
            # Confirms are counted by channel; a channel of their own keeps them apart from deliveries.
            self._publishing = self._connection.channel()
            self._publishing.confirm_delivery()
            self.declare(self._publishing)
            self.connected()
            self._heard = time.monotonic()
            self.serve()

    def declare(self, channel: Any) -> None:
        """Make sure that every queue is there."""
        topology.declare(channel, self.link.queue_type)

    def health(self) -> str | None:
        """Tell why no work can be done; that the link is silent is known here long before it breaks."""
        silent = time.monotonic() - self._heard
        if self.problem is None and silent > SILENCE:
            return f"nothing heard from the broker for {silent:.0f} s"
        return self.problem

    def listen(self, seconds: float) -> None:
        """Take what the broker sends, for so long at most."""
        self._connection.process_data_events(time_limit=seconds)
        self.notice()

    def notice(self) -> None:
        """Remember when the broker was last heard."""
        heard = self._connection._impl.bytes_received  # noqa: SLF001 - pika tells nobody else
        if heard != self._bytes:
            self._bytes, self._heard = heard, time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, while heartbeats are answered; deliveries stay where they are."""
        self._connection.sleep(seconds)
        self.notice()

    def publish(self, queue: str, event: Event) -> None:
        """Put an event into a queue; when this returns, the broker has it.

        Raises one of `transient` where the broker refused it, one of `outages` where nobody knows.
        """
        try:
            self._publishing.basic_publish("", queue, event.body.encode(), properties(event), mandatory=True)
        except UnroutableError:
            # The queue is gone: somebody deleted it. It is made again for the next attempt.
            self.declare(self._publishing)
            raise


def properties(event: Event) -> pika.BasicProperties:
    """Return what travels beside the body of an event."""
    return pika.BasicProperties(
        message_id=event.message_id,
        type=event.kind,
        content_type="application/json",
        delivery_mode=PERSISTENT,
    )


def _parameters(link: Link) -> pika.URLParameters:
    parameters = pika.URLParameters(link.amqp_url)
    parameters.heartbeat = HEARTBEAT
    parameters.blocked_connection_timeout = BLOCKED
    return parameters
