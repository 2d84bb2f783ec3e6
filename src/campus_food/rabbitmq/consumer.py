"""Consumes queues: each delivery is worked on and settled, tried again, or set aside with the reason."""

import logging
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pika.exceptions import ConsumerCancelled

from campus_food import injection
from campus_food.database import Inbox
from campus_food.messages import BadMessage
from campus_food.rabbitmq.link import GLANCE, Link, Linked

# Seconds before a failed message goes back to its queue; twice as long after each further failure.
RETRY_DELAY = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery, good for the channel that it came on and for no other."""

    body: bytes
    message_id: str | None
    channel: Any
    tag: int
    queue: str
    redelivered: bool
    headers: Mapping[str, Any]

    def ack(self) -> None:
        """Settle it: the broker forgets the message."""
        self.channel.basic_ack(self.tag)

    def requeue(self) -> None:
        """Give it back: the broker delivers it again."""
        self.channel.basic_nack(self.tag, requeue=True)

    def reject(self) -> None:
        """Set it aside: the broker moves it, body and headers as they are, to the dead-letter queue."""
        self.channel.basic_reject(self.tag, requeue=False)


class Message(Protocol):
    """What a delivery is read as."""

    @property
    def message_id(self) -> str:
        """The same for every copy of the message."""

    @property
    def order_id(self) -> str:
        """The order that it is about."""


M = TypeVar("M", bound=Message)


class Consumer(Linked, Generic[M]):
    """Consumes `queues`; how a delivery is read and what its work is, is for the subclass to say.

    Promise: a delivery is settled on the channel that it came on, or not at all. Of a lost link nothing is
    kept, so that no old tag can be used on a new channel; what was unsettled comes again. Work on one message
    is begun `attempts` times at most, crashes of the process included. Limits: a message that was moved back
    from the dead letters by hand is tried once more only. Cost: a flush to the disk a redelivery.
    """

    queues: ClassVar[tuple[str, ...]]

    def __init__(self, link: Link, store: Inbox) -> None:
        super().__init__(link)
        self.inbox = store
        self.inject = injection.obey if link.inject else injection.refuse

    @abstractmethod
    def parse(self, delivery: Delivery) -> M:
        """Read the message; raise `BadMessage` where it is none."""

    @abstractmethod
    def work(self, message: M) -> None:
        """Bring about what follows from the message; nothing, if it was handled before."""

    def handle(self, message: M, delivery: Delivery) -> None:
        """Work, and settle when it is done: a crash in between makes the broker deliver again."""
        self.work(message)
        delivery.ack()

    def delivered(self, delivery: Delivery) -> None:
        """Take one delivery to its settlement."""
        try:
            message = self.parse(delivery)
            attempt = self.begin(message, delivery)
            if attempt > self.link.attempts:
                self.exhausted(message, delivery)
            else:
                self.attempt(message, delivery, attempt)
        except BadMessage as bad:
            self.poison(delivery, bad)

    def begin(self, message: M, delivery: Delivery) -> int:
        """Return which attempt this is, written down before it begins, so that no crash is forgotten.

        The number is that of the message in hand: a crash says nothing about those fetched beside it, whereas
        the broker's own count blames them all.
        """
        if not delivery.redelivered:
            return 1
        return self.retry(lambda: self.inbox.begin(message.message_id))

    def attempt(self, message: M, delivery: Delivery, number: int) -> None:
        """Try once; a failure that nobody foresaw is held against the message."""
        try:
            self.inject(delivery.headers)
            self.handle(message, delivery)
        except (BadMessage, *self.outages, *self.transient):
            raise  # foreseen: poison, or not the message's fault
        except Exception as error:
            of = f"{number} of {self.link.attempts}"
            log.exception("Attempt %s failed", of, extra={**_context(message), "reason": repr(error)})
            self.postpone(message, delivery, number)

    def postpone(self, message: M, delivery: Delivery, number: int) -> None:
        """Give the message back after a delay, or set it aside after the last attempt.

        It is held meanwhile, and what was fetched after it waits: to hand it back at once and to go on would
        try it again without any delay.
        """
        if number >= self.link.attempts:
            self.set_aside(message, delivery, f"failed {number} times")
            return
        self.pause(RETRY_DELAY * 2 ** (number - 1))
        delivery.requeue()

    def exhausted(self, message: M, delivery: Delivery) -> None:
        """Settle a message that was begun as often as it may be.

        One that had its effect, and whose acknowledgements were lost, is a duplicate and no poison.
        """
        if self.retry(lambda: self.inbox.handled(message.message_id, message.order_id)):
            self.duplicate(message)
            delivery.ack()
        else:
            self.set_aside(message, delivery, f"begun {self.link.attempts} times, and never finished")

    def set_aside(self, message: M, delivery: Delivery, reason: str) -> None:
        """Reject a message that is what it should be, and cannot be handled."""
        log.error("Message %s set aside", message.message_id, extra={**_context(message), "reason": reason})
        delivery.reject()

    def poison(self, delivery: Delivery, bad: BadMessage) -> None:
        """Reject what is no message, at once: it stays so however often it is tried."""
        log.warning("Poison, set aside", extra={"message_id": delivery.message_id, "reason": str(bad)})
        delivery.reject()

    def duplicate(self, message: M) -> None:
        """Say that a message was handled before."""
        told = "Message %s already processed, skipping (idempotency)"
        log.info(told, message.message_id, extra=_context(message))

    def serve(self) -> None:
        """Consume until the worker is to stop."""
        channel = self._connection.channel()
        channel.basic_qos(prefetch_count=self.link.prefetch)
        cancelled: list[Any] = []
        channel.add_on_cancel_callback(cancelled.append)
        for queue in self.queues:
            self.subscribe(channel, queue)
        self.problem = None
        log.info("Consuming %s", " and ".join(self.queues))
        while not self.stopping.is_set():
            self.listen(GLANCE)
            # Neither raises by itself, and a consumer that waits on would be dead without knowing it.
            if cancelled or not channel.is_open:
                self.problem = f"the broker ended a consumer of {' or '.join(self.queues)}"
                raise ConsumerCancelled(self.problem)

    def subscribe(self, channel: Any, queue: str) -> None:
        """Begin to consume one queue."""
        channel.basic_consume(queue, partial(self._on_delivery, queue), auto_ack=False)

    def _on_delivery(self, queue: str, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.notice()
        if self.stopping.is_set():
            return  # only prefetched: it goes back to the queue when the channel closes
        self.delivered(
            Delivery(
                body=body,
                message_id=properties.message_id,
                channel=channel,
                tag=method.delivery_tag,
                queue=queue,
                redelivered=method.redelivered,
                headers=properties.headers or {},
            )
        )


def _context(message: Message) -> dict[str, str]:
    return {"order_id": message.order_id, "message_id": message.message_id}
