"""The walk-through of campus food ordering, carried out: each step says what should come out and what did."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from rich.console import Console

from atleastonce.commands.up_queues import DEAD, ORDERS, POISON, USER, Queues, order_placed
from atleastonce.commands.up_services import Services
from atleastonce.errors import AtLeastOnceError
from atleastonce.observe.http import HttpObserver

ACCEPTED = "200 success"
WITHIN = 30.0  # seconds for any fact to come true: what a slow machine may need, not what it takes
_GLANCE = 0.05  # seconds between two looks
_TIMEOUT = 10.0  # seconds for an answer

Stock = Mapping[str, int]


@dataclass(frozen=True)
class Check:
    """A fact, as it should be and as it was found; what is found is awaited, so it is the last that was seen."""

    fact: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return self.expected == self.found


class Walk:
    """Carries the steps out on running services that nobody else uses meanwhile."""

    def __init__(self, services: Services, queues: Queues, console: Console, within: float = WITHIN) -> None:
        self.services = services
        self.queues = queues
        self.within = within
        self._console = console
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._observer = HttpObserver()

    def carry_out(self) -> bool:
        """Show every step; True where all is as expected. The first that is not ends it: others build on it."""
        try:
            for number, (title, step) in enumerate(STEPS, 1):
                self._console.print(f"\n{number}. {title}", style="bold")
                if not self._carried_out(step):
                    self._say(f"\nNot as expected in step {number} of {len(STEPS)}; the rest was not tried.")
                    return False
        finally:
            self._observer.close()
            self._http.clear()
        self._say(f"\nAll {len(STEPS)} steps came out as expected.")
        return True

    def _carried_out(self, step: "Step") -> bool:
        try:
            return all(self._shown(check) for check in step(self))
        except AtLeastOnceError as exc:
            return self._shown(Check("this step", "carried out", str(exc)))

    # -- what the steps do

    def order(self, **items: int) -> tuple[str, str]:
        """Place an order; return what the answer says in short, and the order's id where it has one."""
        address = f"{self.services.address('order')}/order"
        body = json.dumps({"user_id": USER, "items": items}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = self._http.request("POST", address, body=body, headers=headers)
            said = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as exc:
            return f"no answer ({type(exc).__name__}: {exc})", ""
        return f"{answer.status} {said.get('status')}", str(said.get("order_id", ""))

    def stock(self) -> Stock:
        """Return the pieces that are left, by item."""
        found: Stock = self._observer.get(f"{self.services.address('inventory')}/stock")
        return found

    # -- what the steps expect

    def comes(self, fact: str, expected: str, look: Callable[[], str]) -> Check:
        """Look until it is as expected, or the time is over."""
        deadline = time.monotonic() + self.within
        while True:
            try:
                found = look()
            except AtLeastOnceError as exc:
                found = str(exc)
            if found == expected or time.monotonic() > deadline:
                return Check(fact, expected, found)
            time.sleep(_GLANCE)

    def depth(self, queue: str, expected: int, when: str = "") -> Check:
        """Expect so many messages in a queue."""
        return self.comes(f"depth of {queue}{when}", str(expected), lambda: str(self.queues.depth(queue)))

    def stock_after(self, before: Stock, taken: Stock, when: str = "") -> Check:
        """Expect that these pieces were taken, and no others."""
        after = {item: number - taken.get(item, 0) for item, number in before.items()}
        return self.comes(f"stock{when}", _change(before, after), lambda: _change(before, self.stock()))

    def notified(self, kind: str, *orders: str) -> Check:
        """Expect exactly one notification of each order, of this kind."""
        address = f"{self.services.address('notification')}/notifications"

        def kinds(order: str) -> str:
            sent: list[Any] = self._observer.get(f"{address}/{order}") or []
            return " and ".join(each["kind"] for each in sent) or "none"

        expected = _together([kind] * len(orders))
        return self.comes("notification", expected, lambda: _together([kinds(order) for order in orders]))

    def logged(self, service: str, text: str) -> Check:
        """Expect a text in the log of a service."""
        log, written = self.services.log(service), "written"
        fact = f'log of {service}: "{text}"'
        return self.comes(fact, written, lambda: written if text in log.read_text("utf-8") else "not there")

    def _shown(self, check: Check) -> bool:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        self._console.print(f"   {mark} ", style=style, end="")
        self._say(f"{check.fact}: expected {check.expected}; found {check.found}")
        return check.holds

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _change(before: Stock, after: Stock) -> str:
    """Say what differs: `burger 100 → 99`."""
    items = sorted(item for item in before.keys() | after.keys() if before.get(item) != after.get(item))
    return ", ".join(f"{item} {before.get(item)} → {after.get(item)}" for item in items) or "no change"


def _together(texts: Sequence[str]) -> str:
    """Say which there are and how often: `2 times 200 success and 1 times 503 None`; one by itself is not counted."""
    counted = Counter(texts).items()
    return " and ".join(f"{number} times {text}" if len(texts) > 1 else text for text, number in counted)


def _ordered(walk: Walk) -> Iterator[Check]:
    before = walk.stock()
    said, order_id = walk.order(burger=1, fries=2)
    yield Check("answer to POST /order", ACCEPTED, said)
    yield walk.stock_after(before, {"burger": 1, "fries": 2})
    yield walk.notified("InventoryReserved", order_id)


def _outage(walk: Walk) -> Iterator[Check]:
    before = walk.stock()
    walk.services.stop("inventory")
    answers = [walk.order(pizza=1) for _ in range(3)]
    said = _together([answer for answer, _ in answers])
    yield Check("answers with inventory stopped", _together([ACCEPTED] * 3), said)
    yield walk.depth(ORDERS, 3, " with inventory stopped")
    walk.services.start("inventory")
    yield walk.depth(ORDERS, 0, " with inventory started again")
    yield walk.stock_after(before, {"pizza": 3})
    yield walk.notified("InventoryReserved", *(order_id for _, order_id in answers))


def _duplicate(walk: Walk) -> Iterator[Check]:
    before, name = walk.stock(), f"twice-{uuid.uuid4().hex[:8]}"
    message = order_placed(name, name, soda=1)
    walk.queues.publish(ORDERS, message, name)
    yield walk.stock_after(before, {"soda": 1}, " after the first copy")
    walk.queues.publish(ORDERS, message, name)
    # It is the log that tells when the copy was dealt with; only then does an unchanged stock mean anything.
    yield walk.logged("inventory", f"Message {name} already processed, skipping (idempotency)")
    yield walk.stock_after(before, {"soda": 1}, " after the second copy")
    yield walk.notified("InventoryReserved", name)


def _poison(walk: Walk) -> Iterator[Check]:
    before = walk.stock()
    walk.queues.publish(ORDERS, POISON, f"poison-{uuid.uuid4().hex[:8]}")
    yield walk.depth(DEAD, 1)
    said, order_id = walk.order(salad=1)
    yield Check("answer to a good order", ACCEPTED, said)
    yield walk.stock_after(before, {"salad": 1})
    yield walk.notified("InventoryReserved", order_id)


def _unknown_item(walk: Walk) -> Iterator[Check]:
    before = walk.stock()
    said, order_id = walk.order(sushi=1)
    yield Check("answer to POST /order", ACCEPTED, said)
    yield walk.notified("InventoryFailed", order_id)
    yield walk.stock_after(before, {})
    yield walk.depth(DEAD, 1)


Step = Callable[[Walk], Iterator[Check]]

STEPS: Sequence[tuple[str, Step]] = (
    ("Order a burger and two fries", _ordered),
    ("Stop inventory, order three pizzas, start it again", _outage),
    ("Publish one OrderPlaced twice, with the same message_id", _duplicate),
    (f"Publish poison: {POISON}", _poison),
    ("Order what is not on the menu: sushi", _unknown_item),
)
"""The steps in their order; the depths that they expect of dead letters count what earlier ones sent there."""
