"""The walk-through of the synchronous chain, carried out on running services."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from atleastonce.commands.up_rest import USER
from atleastonce.commands.walking import Check, Walking

SLACK = 2.0
"""Seconds that a slow machine may add to what was asked for; less than any step up of the schedule after it."""


class RestWalk(Walking):
    """Carries the steps out on services that nobody else uses meanwhile."""

    def order(
        self, query: str, items: Mapping[str, int], expected: str, key: str = "", least: float = 0.0
    ) -> Iterator[Check]:
        """Place an order, and expect this answer, not before so many seconds."""
        status, said, took = self.post(f"/order{query}", {"user_id": USER, "items": items}, key)
        yield Check(f"answer to POST /order{query}", expected, short(status, said))
        if least:
            wanted = f"{least:.1f} s and a little more"
            found = wanted if least <= took < least + SLACK else f"{took:.3f} s"
            yield Check(f"it took {took:.3f} s", wanted, found)

    def attempts(self, key: str, expected: int) -> Check:
        """Expect that inventory saw so many attempts."""
        found = self.get("inventory", f"/attempts/{key}")
        return Check("attempts that inventory saw", str(expected), str((found or {}).get("attempts")))

    def last_is(self, expected: str) -> Check:
        """Expect this of the latest reservation."""

        def look() -> str:
            found = self.get("inventory", f"/users/{USER}/reservations") or []
            return str(found[-1]["status"]) if found else "none"

        return self.comes("latest reservation", expected, look)

    def told(self, expected: int) -> Check:
        """Expect so many notifications in all."""

        def look() -> str:
            return str(len(self.get("notification", f"/users/{USER}/notifications") or []))

        return self.comes("notifications in all", str(expected), look)


def short(status: str, said: Mapping[str, Any]) -> str:
    """Say in short what an answer says."""
    match said:
        case {"error": error, "attempts": attempts}:
            return f"{status} {error}, attempts {attempts}"
        case {"field": field}:
            return f"{status} {field}"
        case {"detail": detail}:
            return f"{status} {detail}"
    return f"{status} {said.get('status')}"


def _ordered(walk: RestWalk) -> Iterator[Check]:
    before, key, items = walk.stock(), str(uuid.uuid4()), {"burger": 1, "fries": 2}
    yield from walk.order("", items, "200 success", key)
    yield walk.stock_after(before, items)
    yield walk.told(1)
    yield from walk.order("", items, "200 success", key)
    yield walk.stock_after(before, items, " after the same order with the same key")
    yield walk.told(1)


def _delayed(walk: RestWalk) -> Iterator[Check]:
    yield from walk.order("?delay=2", {"soda": 1}, "200 success", least=2.0)


def _failing(walk: RestWalk) -> Iterator[Check]:
    before, key = walk.stock(), str(uuid.uuid4())
    yield from walk.order("?fail=500", {"pizza": 1}, "502 reserve-failed, attempts 3", key, least=1.5)
    yield walk.attempts(key, 3)
    yield walk.last_is("released")
    yield walk.stock_after(before, {})


def _flaky(walk: RestWalk) -> Iterator[Check]:
    before, key = walk.stock(), str(uuid.uuid4())
    yield from walk.order("?fail=500&fail_times=2", {"pizza": 1}, "200 success", key, least=1.5)
    yield walk.attempts(key, 3)
    yield walk.stock_after(before, {"pizza": 1})


def _not_sent(walk: RestWalk) -> Iterator[Check]:
    before = walk.stock()
    yield from walk.order("?notification_fail=500", {"salad": 1}, "502 send-failed, attempts 1")
    yield walk.last_is("released")
    yield walk.stock_after(before, {})


def _outage(walk: RestWalk) -> Iterator[Check]:
    before = walk.stock()
    walk.services.stop("inventory")
    yield from walk.order("", {"salad": 1}, "502 reserve-failed, attempts 3", least=1.5)
    walk.services.start("inventory")
    yield walk.last_is("released")
    yield walk.stock_after(before, {}, " with inventory started again")


def _refused(walk: RestWalk) -> Iterator[Check]:
    before = walk.stock()
    yield from walk.order("", {"sushi": 1}, "409 unknown item: sushi")
    yield from walk.order("", {"burger": 0}, "400 items.burger")
    yield walk.stock_after(before, {})
    yield walk.told(3)


RestWalk.steps = (
    ("Order a burger and two fries, and once more with the same key", _ordered),
    ("Order while inventory takes two seconds", _delayed),
    ("Order while inventory fails", _failing),
    ("Order while inventory fails twice and then works", _flaky),
    ("Order while notification fails", _not_sent),
    ("Stop inventory, order, start it again", _outage),
    ("Order what is not on the menu, and what is no order", _refused),
)
