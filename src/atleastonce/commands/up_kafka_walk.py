"""The walk-through of the services on Kafka, carried out on running services."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import urllib3
from rich.console import Console

from atleastonce.commands.up_kafka import PLAN, SLOW
from atleastonce.commands.up_services import Services
from atleastonce.commands.up_stream import Stream
from atleastonce.commands.walking import WITHIN, Check, Walking
from atleastonce.errors import ServiceError
from campus_food.kafka.metrics import EVERY
from campus_food.kafka.producer import SOLD_OUT, placed

_SHOWN = 8
_REPLAYED_WITHIN = 120.0  # seconds for a replay, on the slowest shared machine


class KafkaWalk(Walking):
    """Carries the steps out on services that nobody else uses meanwhile."""

    def __init__(self, services: Services, stream: Stream, console: Console, within: float = WITHIN) -> None:
        super().__init__(services, console, within)
        self.stream = stream
        self.lags: list[int] = []
        self.failed = sum(SOLD_OUT in order.items for order in placed(PLAN))
        self.wanted = sum(
            (Counter(order.items) for order in placed(PLAN) if SOLD_OUT not in order.items), Counter[str]()
        )

    def produce(self) -> Check:
        """Publish the plan's orders, and expect that all were taken."""
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            self.say(f"     {line}")

        self.stream.produce(PLAN, say)
        expected = f"Finished producing {PLAN.orders} events"
        return Check("the producer's last words", expected, said[-1])

    def lag(self, service: str, expected: str = "0", when: str = "") -> Check:
        """Expect that everything was read, or that something was not; what was seen on the way is in `lags`."""
        self.lags.clear()

        def look() -> str:
            found: Mapping[str, Any] = self.get(service, "/lag") or {}
            number = int(found.get("lag", -1))
            self.lags.append(number)
            return "grown" if expected == "grown" and number > 0 else str(number)

        return self.comes(f"lag of {service}{when}", expected, look)

    def figures(self, service: str = "analytics", when: str = "") -> Check:
        """Expect the figures of the plan, however often its orders were published."""

        def look() -> str:
            report: Mapping[str, Any] = (self.get(service, "/report") or {}).get("report", {})
            return f"{report.get('total_orders')} orders, {report.get('failed_orders')} failed"

        expected = f"{PLAN.orders} orders, {self.failed} failed"
        return self.comes(f"report of {service}{when}", expected, look)

    def metrics(self) -> Check:
        """Expect that the metrics were printed for every thousand orders."""
        text = self.services.log("analytics").read_text("utf-8")
        totals = [f"Total Orders: {number}" for number in range(EVERY, PLAN.orders + 1, EVERY)]
        found = sum(f"ANALYTICS METRICS REPORT\n{total}\n" in text for total in totals)
        return Check(f"metrics printed every {EVERY} orders", f"{len(totals)} times", f"{found} times")

    def replay(self) -> Iterator[Check]:
        """Expect the same report from offset zero, and show both."""
        address = f"{self.services.address('analytics')}/replay.txt"
        try:
            answer = urllib3.request("POST", address, timeout=_REPLAYED_WITHIN)
        except urllib3.exceptions.HTTPError as exc:
            raise ServiceError(f"POST {address}: {exc}") from exc
        text = answer.data.decode("utf-8", "replace")
        self.say("\n" + "\n".join(f"     {line}" for line in text.splitlines()) + "\n")
        yield Check("report and replay", "equal digests", text.strip().rpartition("\n")[2])


def thinned(numbers: Sequence[int]) -> Sequence[int]:
    """Return some of many numbers, the last among them."""
    return numbers[:: -max(1, len(numbers) // _SHOWN)][::-1]


def _produced(walk: KafkaWalk) -> Iterator[Check]:
    before = walk.stock()
    yield walk.produce()
    yield walk.lag("inventory")
    yield walk.logged("inventory", f"Received order event: order_{PLAN.orders - 1:06d}")
    yield walk.logged("inventory", "Inventory event emitted: reserve 2 of item_0")
    yield walk.stock_after(before, walk.wanted)
    yield walk.lag("analytics")
    yield walk.figures()
    yield walk.metrics()


def _again(walk: KafkaWalk) -> Iterator[Check]:
    before = walk.stock()
    yield walk.produce()
    yield walk.lag("inventory")
    yield walk.lag("analytics")
    yield walk.stock_after(before, {})
    yield walk.figures()


def _poison(walk: KafkaWalk) -> Iterator[Check]:
    walk.stream.poison()
    for service in ("inventory", "analytics"):
        yield walk.logged(service, "Poison at orders/")
        yield walk.lag(service)


def _slow(walk: KafkaWalk) -> Iterator[Check]:
    walk.services.start(SLOW)
    yield walk.lag(SLOW, "grown")
    yield walk.lag(SLOW, when=" in the end")
    walk.say(f"     on its way: {' → '.join(map(str, thinned(walk.lags)))}")
    yield walk.figures(SLOW)


def _stopped(walk: KafkaWalk) -> Iterator[Check]:
    before = walk.stock()
    walk.services.stop("inventory")
    yield walk.produce()
    walk.services.start("inventory")
    yield walk.lag("inventory", when=" with inventory started again")
    yield walk.stock_after(before, {})
    yield walk.lag("analytics")


KafkaWalk.steps = (
    (f"Publish {PLAN.orders} orders", _produced),
    ("Publish the same orders again", _again),
    ("Publish poison", _poison),
    ("Start a slow reader, which is behind and catches up", _slow),
    ("Stop inventory, publish, start it again", _stopped),
    ("Replay everything from offset zero", KafkaWalk.replay),
)
