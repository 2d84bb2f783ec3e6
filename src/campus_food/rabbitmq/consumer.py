"""Consumes one queue through whatever happens to the link, and publishes with confirms."""

import logging
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pika
from pika.exceptions import AMQPError, ConsumerCancelled, NackError, UnroutableError

from campus_food import settings
from campus_food.messages import Event
from campus_food.rabbitmq import topology
from campus_food.store import TRANSIENT
from campus_food.worker import Worker

PERSISTENT = 2

# Seconds. A link that fell silent (no reset, no answer) is noticed after about two heartbeats, well within
# the 30 s that a service has to recover or to say that it cannot.
HEARTBEAT = 10
# Seconds. The broker stops reading from publishers while it is short of memory or disk; pika waits for ever.
BLOCKED = 30
# Seconds between looks at `stopping`.
GLANCE = 0.1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Link:
    """How a service reaches the broker, and how much it takes at once."""

    amqp_url: str
    queue_type: str
    prefetch: int


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
    return Link(url, queue_type, settings.whole(environ, "PREFETCH", 20, at_most=65535))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, good for the channel that it came on and for no other."""

    body: bytes
    message_id: str | None
    channel: Any
    tag: int

    def ack(self) -> None:
        """Settle it: the broker forgets the message."""
        self.channel.basic_ack(self.tag)

    def reject(self) -> None:
        """Set it aside: the broker moves it, body and headers as they are, to the dead-letter queue."""
        self.channel.basic_reject(self.tag, requeue=False)


class Consumer(Worker):
    """Consumes `queue`; what to do with a delivery is for the subclass to say.

    Promise: a delivery is settled on the channel that it came on, or not at all. Of a lost link nothing is
    kept, so that no old tag can be used on a new channel; what was unsettled comes again.
    """

    outages = (AMQPError, OSError)
    transient = (*TRANSIENT, NackError, UnroutableError)

    def __init__(self, link: Link, queue: str) -> None:
        super().__init__()
        self.link = link
        self.queue = queue
        self._connection: Any = None
        self._publishing: Any = None

    @abstractmethod
    def connected(self) -> None:
        """Do what must be done before the first delivery of a session."""

    @abstractmethod
    def delivered(self, delivery: Delivery) -> None:
        """Do the work and settle it."""

    def session(self) -> None:
        """Hold one connection until it breaks or the worker is to stop."""
        with pika.BlockingConnection(_parameters(self.link)) as self._connection:
            # Confirms are counted by channel; a channel of their own keeps them apart from deliveries.
            self._publishing = self._connection.channel()
            self._publishing.confirm_delivery()
            topology.declare(self._publishing, self.link.queue_type)
            self.connected()
            self._consume(self._connection.channel())

    def pause(self, seconds: float) -> None:
        """Wait, while heartbeats are answered; deliveries stay where they are."""
        self._connection.sleep(seconds)

    def publish(self, queue: str, event: Event) -> None:
        """Put an event into a queue; when this returns, the broker has it.

        Raises one of `transient` where the broker refused it, one of `outages` where nobody knows.
        """
        properties = pika.BasicProperties(
            message_id=event.message_id,
            type=event.kind,
            content_type="application/json",
            delivery_mode=PERSISTENT,
        )
        try:
            self._publishing.basic_publish("", queue, event.body.encode(), properties, mandatory=True)
        except UnroutableError:
            # The queue is gone: somebody deleted it. It is made again for the next attempt.
            topology.declare(self._publishing, self.link.queue_type)
            raise

    def _consume(self, channel: Any) -> None:
        channel.basic_qos(prefetch_count=self.link.prefetch)
        cancelled: list[Any] = []
        channel.add_on_cancel_callback(cancelled.append)
        channel.basic_consume(self.queue, self._on_delivery, auto_ack=False)
        self.problem = None
        log.info("Consuming %s", self.queue)
        while not self.stopping.is_set():
            self._connection.process_data_events(time_limit=GLANCE)
            # Neither raises by itself, and a consumer that waits on would be dead without knowing it.
            if cancelled or not channel.is_open:
                raise ConsumerCancelled(f"the broker ended the consumer of {self.queue}")

    def _on_delivery(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        if self.stopping.is_set():
            return  # only prefetched: it goes back to the queue when the channel closes
        self.delivered(Delivery(body, properties.message_id, channel, method.delivery_tag))


def _parameters(link: Link) -> pika.URLParameters:
    parameters = pika.URLParameters(link.amqp_url)
    parameters.heartbeat = HEARTBEAT
    parameters.blocked_connection_timeout = BLOCKED
    return parameters
