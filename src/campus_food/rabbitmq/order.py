"""The order service on RabbitMQ: `python -m campus_food.rabbitmq.order`.

For each request, in this order: one database transaction (the key and the message that it stands for); the
message published and confirmed; the answer. What a crash leaves undone is done when the caller repeats.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from campus_food import settings
from campus_food.database import TRANSIENT
from campus_food.messages import Event, OrderRequest
from campus_food.orders import Accepted, Orders
from campus_food.rabbitmq import topology
from campus_food.rabbitmq.link import GLANCE, Link, Linked, link_from
from campus_food.service import ORDER, run
from campus_food.web_order import KeyTaken, NotConfirmed, order_routes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ordering:
    """How the service reaches the broker, and how many seconds a request waits for a confirm."""

    link: Link
    confirm_within: float


def ordering_from(environ: Mapping[str, str]) -> Ordering:
    """Read the service's settings; raises `SettingError`."""
    return Ordering(link_from(environ), settings.whole(environ, "CONFIRM_WITHIN", 5, at_most=3600))


@dataclass(frozen=True, slots=True)
class Publication:
    """A message handed to the thread that holds the link, and what became of it."""

    event: Event
    done: "Future[None]" = field(default_factory=Future)


class Order(Linked):
    """Publishes the orders that requests bring, each confirmed before its answer.

    Promise: `place` returns for an order that is on the broker. Any other outcome is unknown: the caller
    repeats under the same key, and the message stays the same one.
    """

    def __init__(self, ordering: Ordering, store: Orders) -> None:
        super().__init__(ordering.link)
        self.store = store
        self.confirm_within = ordering.confirm_within
        self._waiting: SimpleQueue[Publication] = SimpleQueue()

    def place(self, asked: OrderRequest, key: str) -> Accepted:
        """Put an order on the broker, once for each key.

        A repeat of a key whose message was confirmed publishes nothing: the broker has answered for that
        message, so another copy could only be a duplicate. Called from the threads of requests. Raises
        `KeyTaken` where the key stands for another order, `NotConfirmed` where nobody knows yet, one of
        `TRANSIENT` where nothing was stored.
        """
        accepted = self.store.accept(asked, key)
        if accepted.asked != asked:
            raise KeyTaken(key)
        if not accepted.confirmed:
            self.confirm(accepted.event)
            # If this fails, the order is as much placed as before; a repeat will publish it again.
            with suppress(*TRANSIENT):
                self.store.mark_confirmed(accepted.event)
        return accepted

    def confirm(self, event: Event) -> None:
        """Hand a message over and wait until the broker has it; raises `NotConfirmed`."""
        reason = self.health()
        if reason is not None:
            raise NotConfirmed(reason)
        publication = Publication(event)
        self._waiting.put(publication)
        try:
            publication.done.result(self.confirm_within)
        except TimeoutError as error:
            publication.done.cancel()  # if its turn has not come
            # Until the link is heard again, whoever asks next is told at once.
            self.problem = f"no confirm within {self.confirm_within} s"
            raise NotConfirmed(self.problem) from error
        except (*self.outages, *self.transient) as error:
            raise NotConfirmed(repr(error)) from error

    def serve(self) -> None:
        """Publish what requests hand over until the worker is to stop."""
        try:
            while not self.stopping.is_set():
                self.listen(0)
                self.problem = None
                self._publish_next()
        except BaseException as error:
            self.problem = repr(error)
            self._refuse_waiting(error)
            raise

    def _publish_next(self) -> None:
        with suppress(Empty):
            publication = self._waiting.get(timeout=GLANCE)
            if publication.done.set_running_or_notify_cancel():
                self._publish(publication)

    def _publish(self, publication: Publication) -> None:
        event = publication.event
        context = {"order_id": event.order_id, "message_id": event.message_id}
        try:
            self.publish(topology.ORDERS, event)
        except self.transient as error:
            log.warning("Order %s refused", event.order_id, extra={**context, "reason": repr(error)})
            publication.done.set_exception(error)
        except BaseException as error:
            publication.done.set_exception(error)
            raise
        else:
            log.info("Order %s placed", event.order_id, extra=context)
            publication.done.set_result(None)

    def _refuse_waiting(self, error: BaseException) -> None:
        """Answer those whose turn did not come: with a link that is gone, it would not for long."""
        with suppress(Empty):
            while True:
                publication = self._waiting.get_nowait()
                if publication.done.set_running_or_notify_cancel():
                    publication.done.set_exception(error)


def main(order: type[Order] = Order, store: type[Orders] = Orders) -> None:
    """Run the service until SIGTERM."""
    run(ORDER, ordering_from, order, store, order_routes)


if __name__ == "__main__":
    main()
