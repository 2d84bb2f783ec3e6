"""Thousands of bad and random requests to each service: no failure of its own, nothing changed by what it refuses."""

import json
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bad_requests import Judge, counted, unchanged
from campus import Queues, Service, until
from rest_chain import Chain, started

from campus_food.rabbitmq import topology

pytestmark = pytest.mark.timeout(900)

GETS = ("/health", "/stock", "/reservations/", "/users/", "/notifications/", "/orders/", "/attempts/")
AMPLE = 1_000_000


@pytest.fixture
def count(thorough: bool) -> int:
    """Give how many requests each service gets."""
    return 10_000 if thorough else 300


@pytest.fixture
def number() -> int:
    """Give the number that requests are drawn by: another one each time, or that of REQUESTS_SEED."""
    number = int(os.environ.get("REQUESTS_SEED") or random.randrange(10**6))  # noqa: S311 - to vary
    print(f"REQUESTS_SEED={number}")  # noqa: T201 - pytest shows it with a failure
    return number


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Chain]:
    """Start the synchronous chain, which obeys faults and does not wait long."""
    stock = f"burger={AMPLE},fries={AMPLE}"
    with started(tmp_path, BACKOFF="0", OPENING_STOCK=stock) as services:
        yield services


def told(seen: Counter[int], name: str) -> None:
    """Print how often each status was met."""
    print(f"{name}: {sum(seen.values())} requests, {dict(sorted(seen.items()))}")  # noqa: T201 - for -s


def rows(service: Service, wanted: str) -> list[Any]:
    """Read from a database."""
    with closing(sqlite3.connect(service.database)) as other:
        return other.execute(wanted).fetchall()


def asked_for(status: int, said: Any) -> bool:
    """Tell whether the failure is the one that the query asks for."""
    return isinstance(said, dict) and said.get("title") == "Injected failure" and said["status"] == status


def passed_on(_status: int, said: Any) -> bool:
    """Tell whether the failure is that of another service, which order passes on."""
    return isinstance(said, dict) and said.get("error") in {"reserve-failed", "send-failed"}


@pytest.mark.parametrize(
    ("name", "paths"), [("inventory", ("/reserve", "/reserve", "/release")), ("notification", ("/send",))]
)
def test_services_that_are_asked(
    services: Chain, name: str, paths: tuple[str, ...], count: int, number: int
) -> None:
    """Inventory and notification over HTTP; and the stock is what the reservations leave of it."""
    service = getattr(services, name)
    seen = Judge(service.port, unchanged(service.database), asked_for).all((*paths * 6, *GETS), count, number)
    told(seen, f"rest {name}")
    assert {200, 400, 404, 405} <= set(seen)
    held = rows(services.inventory, "SELECT items FROM reservations WHERE status = 'reserved'")
    burgers = sum(_burgers(items) for (items,) in held)
    assert services.inventory.stock("burger") == AMPLE - burgers


def test_order_over_http(services: Chain, count: int, number: int) -> None:
    """Each key has one answer; in the end the stock that is gone is that of the orders that succeeded."""
    judge = Judge(services.order.port, counted(services.order.database, "calls"), passed_on)
    seen = judge.all((*["/order"] * 12, *GETS), count, number)
    told(seen, "rest order")
    assert {200, 400, 404, 405} <= set(seen)
    left = "SELECT key FROM calls WHERE releasing OR status IS NULL"
    until(lambda: not rows(services.order, left), "everything released")
    good = rows(services.order, "SELECT items FROM calls WHERE status = 200")
    assert services.inventory.stock("burger") == AMPLE - sum(_burgers(items) for (items,) in good)
    assert rows(services.notification, "SELECT count(*) FROM notifications") >= [(len(good),)]


def test_order_on_rabbitmq(queues: Queues, tmp_path: Path, count: int, number: int) -> None:
    """What waits in the queue is what was answered with success, and nothing else."""
    with Service("campus_food.rabbitmq.order", tmp_path, AMQP_URL=queues.url) as order:
        order.start()
        judge = Judge(order.port, counted(order.database, "orders"), lambda *_: False)
        seen = judge.all((*["/order"] * 12, *GETS), count, number)
        told(seen, "rabbitmq order")
        assert {200, 400, 404, 405} <= set(seen)
        (placed,) = rows(order, "SELECT count(*), sum(confirmed) FROM orders")
        assert placed == (queues.depth(topology.ORDERS),) * 2


@pytest.mark.parametrize("name", ["inventory", "notification"])
def test_consumers_on_rabbitmq(queues: Queues, tmp_path: Path, name: str, count: int, number: int) -> None:
    """They only show what is there: no request changes anything."""
    with Service(f"campus_food.rabbitmq.{name}", tmp_path, AMQP_URL=queues.url) as service:
        service.start()
        state = unchanged(service.database)
        before = state()
        seen = Judge(service.port, state, lambda *_: False).all(GETS, count, number)
        told(seen, f"rabbitmq {name}")
        assert state() == before


def _burgers(items: str) -> int:
    return int(json.loads(items).get("burger", 0))
