"""The walk-through of campus food ordering on RabbitMQ, carried out on running services."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console

from atleastonce.commands.up_queues import DEAD, ORDERS, POISON, USER, Queues, order_placed
from atleastonce.commands.up_services import Services
from atleastonce.commands.walking import WITHIN, Check, Walking, together

ACCEPTED = "200 success"


class Walk(Walking):
    """Carries the steps out on services and queues that nobody else uses meanwhile."""

    def __init__(self, services: Services, queues: Queues, console: Console, within: float = WITHIN) -> None:
        super().__init__(services, console, within)
        self.queues = queues

    def order(self, **items: int) -> tuple[str, str]:
        """Place an order; return what the answer says in short, and the order's id where it has one."""
        status, said, _ = self.post("/order", {"user_id": USER, "items": items})
        return f"{status} {said['status']}" if "status" in said else status, str(said.get("order_id", ""))

    def depth(self, queue: str, expected: int, when: str = "") -> Check:
        """Expect so many messages in a queue."""
        return self.comes(f"depth of {queue}{when}", str(expected), lambda: str(self.queues.depth(queue)))

    def notified(self, kind: str, *orders: str) -> Check:
        """Expect exactly one notification of each order, of this kind."""

        def kinds(order: str) -> str:
            sent: list[Any] = self.get("notification", f"/notifications/{order}") or []
            return " and ".join(each["kind"] for each in sent) or "none"

        expected = together([kind] * len(orders))
        return self.comes("notification", expected, lambda: together([kinds(order) for order in orders]))


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
    said = together([answer for answer, _ in answers])
    yield Check("answers with inventory stopped", together([ACCEPTED] * 3), said)
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

Walk.steps = STEPS
