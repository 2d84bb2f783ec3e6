"""The synchronous chain when its services are killed, stopped or cannot write: one order, or none."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from campus import Service, until
from rest_chain import ASKED, Between, Chain, chain, started

FULL = 1000

STEPS = {"reserved": ("INVENTORY_URL", "/reserve"), "notified": ("NOTIFICATION_URL", "/send")}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads to ask from."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Keep everybody else from writing to a database."""
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def lost(asking: "Future[Any]") -> None:
    """See that a request got no answer."""
    with pytest.raises(urllib3.exceptions.HTTPError):
        asking.result()


def one_order(services: Chain) -> None:
    """See that there is one order, reserved and told once."""
    until(lambda: services.told("u1") == 1, "notified")
    assert services.status("u1") == ["reserved"]
    assert services.inventory.stock("burger") == FULL - 1


def no_order(services: Chain) -> None:
    """See that what there was is released in the end."""
    services.released("u1")
    assert services.inventory.stock("burger") == FULL


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("repeated", [True, False])
def test_order_is_killed_on_the_way(
    tmp_path: Path, threads: ThreadPoolExecutor, step: str, repeated: bool
) -> None:
    """After its restart the order is carried on, by itself or for whoever repeats it, and stays the same one."""
    with Between(*STEPS[step]) as between, started(tmp_path, between) as services:
        between.open.clear()
        asking = threads.submit(services.order.post, ASKED, "k1")
        assert between.arrived.wait(10)
        services.order.kill()
        between.open.set()
        lost(asking)
        services.order.start()
        if repeated:
            assert services.order.post(ASKED, "k1")[0] == 200
        one_order(services)
        status, answer = services.order.post(ASKED, "k1")
        assert (status, services.inventory.get(f"/reservations/{answer['order_id']}")[0]) == (200, 200)
        one_order(services)


def test_order_is_killed_before_the_release(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """What it owed was stored with its answer; the release comes after the restarts."""
    with Between(*STEPS["notified"]) as between, started(tmp_path, between) as services:
        between.open.clear()
        asking = threads.submit(services.order.post, ASKED, "k1", "/order?notification_fail=500")
        assert between.arrived.wait(10)
        services.inventory.kill()
        between.open.set()
        failed = {"error": "send-failed", "notification_status": 500, "attempts": 1}
        assert asking.result() == (502, failed)
        services.order.kill()
        services.inventory.start()
        assert services.status("u1") == ["reserved"]
        services.order.start()
        no_order(services)
        assert services.order.post(ASKED, "k1") == (502, failed)


def test_a_release_whose_answers_are_lost_is_repeated(tmp_path: Path) -> None:
    """Under the same key, until one arrives; the stock comes back once."""
    with Between("INVENTORY_URL", "/release") as between, started(tmp_path, between) as services:
        between.cut = 3
        assert services.order.post(ASKED, "k1", "/order?notification_fail=500")[0] == 502
        until(lambda: services.order.logged("released"), "release")
        assert between.keys == ["k1"] * 4
        no_order(services)


def test_a_release_may_come_before_its_reservation(tmp_path: Path) -> None:
    """Nobody knows what became of requests to a service that was away: the release is a tombstone for them."""
    with chain(tmp_path) as services:
        services.notification.start()
        services.order.start(status=503)
        status, answer = services.order.post(ASKED, "k1")
        assert (status, answer["inventory_status"], answer["attempts"]) == (502, None, 3)
        services.inventory.start()
        no_order(services)
        order_id = services.order.lines("Order")[0]["order_id"]
        late = services.inventory.post({"order_id": order_id, **ASKED}, "k1", "/reserve")
        assert (late[0], late[1]["outcome"]) == (409, "released")
        no_order(services)


def test_inventory_is_killed_while_it_is_asked(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """A later attempt finds it again, and what it reserved before."""
    with (
        Between(*STEPS["reserved"]) as between,
        started(tmp_path, between, BACKOFF="0.1", RETRIES="8") as services,
    ):
        between.open.clear()
        asking = threads.submit(services.order.post, ASKED, "k1")
        assert between.arrived.wait(10)
        services.inventory.kill()
        between.cut = 1
        between.open.set()
        services.inventory.start()
        assert asking.result()[0] == 200
        assert set(between.keys) == {"k1"}
        one_order(services)


def test_work_in_hand_is_finished(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """A service that is asked to stop answers first."""
    with started(tmp_path) as services:
        asking = threads.submit(services.order.post, ASKED, "k1", "/order?delay=1")
        until(lambda: services.attempts("k1")[0] == 1, "the request on its way")
        assert services.order.stop() == 0
        assert asking.result()[0] == 200
        assert (services.inventory.stop(), services.notification.stop()) == (0, 0)


def test_a_stop_does_not_wait_for_a_backoff(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """The order is left undecided, and carried on after the restart."""
    with started(tmp_path, BACKOFF="600") as services:
        asking = threads.submit(services.order.post, ASKED, "k1", "/order?fail_times=1")
        until(lambda: services.order.lines("Attempt 1 failed"), "the backoff")
        began = time.monotonic()
        assert services.order.stop() == 0
        assert time.monotonic() - began < 60
        status, problem = asking.result()
        assert (status, problem["title"]) == (503, "Stopping")
        services.order.start()
        one_order(services)
        assert services.attempts("k1") == (2, 1)


def test_a_locked_database_is_told(tmp_path: Path) -> None:
    """Nothing is asked of the others that was not stored before."""
    with started(tmp_path) as services:
        with locked(services.order):
            status, problem = services.order.post(ASKED, "k1")
            assert (status, problem["title"]) == (503, "Unavailable")
            assert services.order.status() == 503
        assert services.attempts("k1") == (0, 0)
        with locked(services.inventory):
            assert services.inventory.post({"order_id": "o1", **ASKED}, "k1", "/reserve")[0] == 503
            assert services.inventory.status() == 503
        assert services.order.post(ASKED, "k1")[0] == 200
        one_order(services)


def test_an_answer_that_cannot_be_stored_is_not_given(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    """It is unknown what became of the order, until it is carried on by itself."""
    with Between(*STEPS["notified"]) as between, started(tmp_path, between) as services:
        between.open.clear()
        asking = threads.submit(services.order.post, ASKED, "k1")
        assert between.arrived.wait(10)
        with locked(services.order):
            between.open.set()
            status, problem = asking.result()
            assert (status, problem["title"]) == (503, "Unavailable")
        until(lambda: services.order.lines("Order"), "the answer is stored")
        order_id = services.order.lines("Order")[0]["order_id"]
        assert services.order.get(f"/orders/{order_id}")[1]["answered"] == 200
        one_order(services)
