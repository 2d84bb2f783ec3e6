"""Publishes orders that a seed makes: `python -m campus_food.kafka.producer`."""

import argparse
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from confluent_kafka import KafkaException

from campus_food.kafka.clients import Cluster, Publisher, cluster_from, connection
from campus_food.kafka.events import OrderPlaced, encode
from campus_food.settings import SettingError

ITEMS = tuple(f"item_{number}" for number in range(5))
SOLD_OUT = "item_sold_out"
SOLD_OUT_SHARE = 0.05
# A share of the orders arrives late: their time lies up to so many seconds before that of their neighbours.
LATE_SHARE = 0.01
LATEST = 120
USERS = 1000
EVERY = 1000
"""Orders between two lines of progress."""

FAILED, WRONG_CALL = 1, 2


@dataclass(frozen=True, slots=True)
class Plan:
    """Which orders: the same plan makes the same bytes, on any machine and at any time."""

    orders: int = 10_000
    seed: int = 7
    start: datetime = datetime(2026, 2, 17, 14, 33, tzinfo=UTC)
    per_minute: int = 1000
    copies: int = 1


def placed(plan: Plan) -> Iterator[OrderPlaced]:
    """Make the orders."""
    # Of this generator Python promises the same numbers for ever; of its other methods it does not.
    rng = random.Random(plan.seed).random  # noqa: S311 - orders, not secrets
    step = timedelta(minutes=1) / plan.per_minute
    for number in range(plan.orders):
        names = list(ITEMS)
        wanted = [names.pop(int(rng() * len(names))) for _ in range(1 + int(rng() * len(ITEMS)))]
        if rng() < SOLD_OUT_SHARE:
            wanted[0] = SOLD_OUT
        items = {name: 1 + int(rng() * 2) for name in wanted}
        user = f"user_{int(rng() * USERS):03d}"
        late = timedelta(seconds=int(rng() * LATEST)) if rng() < LATE_SHARE else timedelta()
        timestamp = max(plan.start, plan.start + number * step - late)
        yield OrderPlaced(f"order_{number:06d}", user, items, timestamp)


def publish(cluster: Cluster, plan: Plan, say: Any = print) -> None:
    """Publish the orders, keyed by order, and say so once the broker has them; raises `KafkaException`."""
    publisher = Publisher(connection(cluster) | {"enable.idempotence": True, "linger.ms": 5})
    orders = placed(plan)
    while block := list(islice(orders, EVERY)):
        records = [(order.order_id, encode(order)) for order in block]
        for _copy in range(plan.copies):
            for key, value in records:
                publisher.produce(cluster.orders, key, value)
        publisher.flush()
        say(f"Published OrderPlaced event: {block[-1].order_id}")
    say(f"Finished producing {plan.orders} events")


def main(words: Sequence[str] | None = None) -> int:
    """Publish what the command line asks for; 0 when the broker has it all."""
    usual = Plan()
    parser = argparse.ArgumentParser(description="Publish orders that a seed makes.")
    parser.add_argument("orders", nargs="?", type=int, default=usual.orders)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument(
        "--start", type=datetime.fromisoformat, default=usual.start, help="ISO 8601 with an offset"
    )
    parser.add_argument("--per-minute", type=int, default=usual.per_minute, help="of event time")
    parser.add_argument("--copies", type=int, default=usual.copies, help="how often each event is published")
    plan = Plan(**vars(parser.parse_args(words)))
    if min(plan.orders, plan.per_minute, plan.copies) < 1 or plan.start.tzinfo is None:
        parser.error("expected whole numbers from 1, and a start with an offset")
    try:
        publish(cluster_from(os.environ, "producer"), plan, lambda line: print(line, flush=True))
    except SettingError as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return WRONG_CALL
    except KafkaException as error:
        print(f"Not everything was published; the same call publishes it again: {error}", file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
