"""The synchronous order service: `python -m campus_food.rest.order`.

For each request, in this order: one database transaction (the key and what it stands for); the reservation, tried
again where it is worth it; the confirmation; one database transaction (the answer, and what is to be released);
the answer. What a crash leaves undone is carried on after the restart, or when the caller repeats.
"""

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.routing import Route
from tenacity import RetryCallState, Retrying, retry_if_result, sleep_using_event
from tenacity.stop import stop_after_attempt, stop_base
from tenacity.wait import wait_base, wait_exponential, wait_random

from campus_food import injection, settings
from campus_food.database import TRANSIENT
from campus_food.rest import faults
from campus_food.rest.calls import Answer, Call, Calls
from campus_food.rest.peer import Peer, Reply, address
from campus_food.rest.web import TO_INVENTORY, TO_NOTIFICATION, order_routes
from campus_food.service import ORDER, run
from campus_food.web import problem_content
from campus_food.web_order import KeyTaken, NotConfirmed
from campus_food.worker import Worker, delays

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ordering:
    """Where the other services are, and how patient this one is with them (in seconds)."""

    inventory: str
    notification: str
    attempts: int
    backoff: float
    jitter: float
    within: float
    permitted: bool


def ordering_from(environ: Mapping[str, str]) -> Ordering:
    """Read the service's settings; raises `SettingError`."""
    return Ordering(
        inventory=address(environ, "INVENTORY_URL", "http://127.0.0.1:8001"),
        notification=address(environ, "NOTIFICATION_URL", "http://127.0.0.1:8002"),
        attempts=1 + settings.whole(environ, "RETRIES", 2, at_least=0, at_most=100),
        backoff=settings.seconds(environ, "BACKOFF", 0.5, at_most=3600),
        jitter=settings.seconds(environ, "JITTER", 0, at_most=3600),
        within=settings.seconds(environ, "ATTEMPT_TIMEOUT", 5, at_most=3600),
        permitted=injection.allowed(environ),
    )


class Order(Worker):
    """Carries orders out, and gives back what those that failed may hold.

    Promise: a key has one order and one answer. An order that was answered with an error holds no stock in the
    end: the release is stored with the answer, and asked for until inventory has answered for it. Limits: a
    confirmation whose answer was lost may have been sent although the order failed.
    """

    outages = (NotConfirmed,)  # it stops
    transient = TRANSIENT

    def __init__(self, ordering: Ordering, store: Calls) -> None:
        super().__init__()
        self.store = store
        self.ordering = ordering
        self.inventory = Peer(ordering.inventory, ordering.within)
        self.notification = Peer(ordering.notification, ordering.within)
        self._lock = threading.Lock()
        self._under_way: dict[tuple[Any, ...], Future[Answer]] = {}
        self._left: deque[Call] = deque()  # interrupted, and to be carried on
        self._looked = False  # for what an earlier life left
        self._wake = threading.Event()

    # -- how often, when and as what the inventory is asked

    def last_attempt(self) -> stop_base:
        """Say when to give up."""
        return stop_after_attempt(self.ordering.attempts)

    def backoff(self) -> wait_base:
        """Say how long to wait after each attempt: half a second, twice as long each time, unless set otherwise."""
        return wait_exponential(self.ordering.backoff) + wait_random(0, self.ordering.jitter)

    def worth_another(self, reply: Any) -> bool:
        """Tell whether this reply may be followed by a better one."""
        return isinstance(reply, Reply) and not reply.ok and not reply.refused

    def key(self, call: Call, _attempt: int) -> str:
        """Return the key of an attempt: the same one, so that a reservation whose reply was lost is recognised."""
        return call.key

    # -- one order

    def place(self, call: Call) -> Answer:
        """Carry an order out, once for each key, and return its answer.

        Whoever repeats it meanwhile waits for the same answer. Called from the threads of requests. Raises
        `KeyTaken` where the key stands for another order, `NotConfirmed` or one of `TRANSIENT` where it has no
        answer yet.
        """
        name = (call.key, call.asked.user_id, *sorted(call.asked.items.items()))
        with self._lock:
            running = self._under_way.get(name)
            if running is None:
                mine = self._under_way[name] = Future()
        if running is not None:
            return running.result()
        try:
            mine.set_result(self._placed(call))
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[name]
        return mine.result()

    def _placed(self, call: Call) -> Answer:
        known = self.store.begin(call)
        if known.asked != call.asked:
            raise KeyTaken(call.key)
        if known.answer is not None:
            return known.answer
        try:
            return self.carry_out(known)
        except TRANSIENT:
            self._left.append(known)
            self._wake.set()
            raise

    def carry_out(self, call: Call) -> Answer:
        """Reserve and send; store the answer that follows, and return the one that holds."""
        wanted = faults.read(parse_qsl(call.wanted), permitted=True, prefixes=(TO_INVENTORY, TO_NOTIFICATION))
        replies = self.reserve(call, wanted[TO_INVENTORY].query)
        if not replies[-1].ok:
            return self.decide(
                call, _not_reserved(call, replies), release=not all(r.refused for r in replies)
            )
        sent = self.notification.post("/send", call.body, call.key, wanted[TO_NOTIFICATION].query)
        if not sent.ok:
            return self.decide(call, _failed("send-failed", "notification_status", [sent]), release=True)
        order = {"order_id": call.order_id, "user_id": call.asked.user_id, "items": call.asked.items}
        return self.decide(call, Answer(200, {"status": "success", **order}), release=False)

    def reserve(self, call: Call, query: str) -> Sequence[Reply]:
        """Ask for the reservation until the reply is final, or it was the last attempt; return every reply.

        Raises `NotConfirmed` where the service stops before.
        """
        replies: list[Reply] = []

        def attempt() -> Reply:
            if replies and self.stopping.is_set():
                raise NotConfirmed("the service stops; it carries the order on when it is started again")
            key = self.key(call, len(replies) + 1)
            replies.append(self.inventory.post("/reserve", call.body, key, query))
            return replies[-1]

        Retrying(
            stop=self.last_attempt(),
            wait=self.backoff(),
            retry=retry_if_result(self.worth_another),
            sleep=sleep_using_event(self.stopping),
            before_sleep=lambda state: _say_again(call, state),
            retry_error_callback=lambda _: None,
        )(attempt)
        return replies

    def decide(self, call: Call, answer: Answer, *, release: bool) -> Answer:
        """Store the answer; return the one that holds."""
        holds = self.store.decide(call, answer, release=release)
        if release:
            self._wake.set()
        context = {"order_id": call.order_id, "message_id": call.key}
        log.info("Order %s answered: %s", call.order_id, holds.status, extra=context)
        return holds

    # -- beside the requests

    def session(self) -> None:
        """Carry on what was interrupted, and release what failed, until the worker is to stop."""
        if not self._looked:
            self._left.extend(self.store.undecided())
            self._looked = True
        self.problem = None
        waits = delays()
        while not self.stopping.is_set():
            self._wake.clear()
            if all([self.give_back(), self.carry_on()]):
                waits = delays()
                self._wake.wait()
            else:
                self._wake.wait(next(waits))

    def give_back(self) -> bool:
        """Ask for every release that was not answered yet; False where one was not."""
        left = False
        for call in self.store.releasing():
            reply = self.inventory.post("/release", call.body, call.key)
            context = {"order_id": call.order_id, "message_id": call.key, "reason": reply.reason}
            if reply.ok:
                self.store.released(call)
                log.info("Order %s released", call.order_id, extra=context)
            else:
                left = True
                log.warning("Release of %s: %s", call.order_id, reply.status, extra=context)
        return not left

    def carry_on(self) -> bool:
        """Place the orders that were interrupted, once the other services answer; False where one is left."""
        while self._left:
            if self.health() is not None:
                return False
            self.place(self._left[0])
            self._left.popleft()
        return True

    def pause(self, seconds: float) -> None:
        """Wait, unless the service is to stop."""
        self.stopping.wait(seconds)

    def stop(self) -> None:
        """Finish what is in hand."""
        self.stopping.set()
        self._wake.set()
        # The connections stay open: a request may still be using one, and must not take that for a failure.
        super().stop()

    def health(self) -> str | None:
        """Tell why no order can be carried out at present: it takes all three services."""
        return self.problem or self.store.health() or self.inventory.health() or self.notification.health()


def _not_reserved(call: Call, replies: Sequence[Reply]) -> Answer:
    """Answer for an order that inventory decided against, or did not decide."""
    last = replies[-1]
    if last.refused and "outcome" in last.content:
        reason = str(last.content.get("detail", ""))
        return Answer(409, problem_content(409, "Not reserved", reason, order_id=call.order_id))
    return _failed("reserve-failed", "inventory_status", replies)


def _failed(error: str, status: str, replies: Sequence[Reply]) -> Answer:
    last = replies[-1]
    reason = {"reason": last.reason} if last.status is None else {}
    return Answer(502, {"error": error, status: last.status, "attempts": len(replies), **reason})


def _say_again(call: Call, state: RetryCallState) -> None:
    reply: Reply = state.outcome.result() if state.outcome else Reply(None, {})
    context = {"order_id": call.order_id, "message_id": call.key, "reason": reply.reason or str(reply.status)}
    wait = state.next_action.sleep if state.next_action else 0
    log.warning("Attempt %d failed; the next in %.1f s", state.attempt_number, wait, extra=context)


def routes(store: Calls, order: Order) -> Sequence[Route]:
    """Take orders, and show them."""
    return order_routes(store, order.place, permitted=order.ordering.permitted)


def main(order: type[Order] = Order, store: type[Calls] = Calls) -> None:
    """Run the service until SIGTERM."""
    run(ORDER, ordering_from, order, store, routes)


if __name__ == "__main__":
    main()
