"""The synchronous chain through real HTTP: every parameter, number of attempts, status and body."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from campus import Service, until
from rest_chain import ASKED, INVENTORY, NOTIFICATION, ORDER, Between, Chain, chain, started

SERVICES = ("order", "inventory", "notification")
PATHS = {"order": "/order", "inventory": "/reserve", "notification": "/send"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Start the chain, with stock for all tests and short backoffs."""
    with started(tmp_path_factory.mktemp("chain"), ATTEMPT_TIMEOUT="0.3") as services:
        yield services


@pytest.fixture(scope="module")
def forbidding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Start the chain without permission to inject anything."""
    with started(tmp_path_factory.mktemp("forbidding"), FAULT_INJECTION="") as services:
        yield services


@pytest.fixture
def user() -> str:
    """Give a name that nobody else has."""
    return f"u-{uuid.uuid4()}"


def asked(user: str, **items: int) -> dict[str, Any]:
    """Make what a user asks for."""
    return {"user_id": user, "items": items or {"burger": 1}}


def test_an_order_goes_through_the_chain(services: Chain, user: str) -> None:
    """It is answered when its stock is reserved and its confirmation is sent, each asked once."""
    before = services.inventory.get("/stock")[1]
    status, answer = services.order.post(asked(user, burger=2, fries=1), user)
    order_id = answer.pop("order_id")
    assert (status, answer) == (200, {"status": "success", **asked(user, burger=2, fries=1)})
    after = {"burger": before["burger"] - 2, "fries": before["fries"] - 1}
    assert services.inventory.get("/stock")[1] == after
    made = {"order_id": order_id, **asked(user, burger=2, fries=1), "reason": ""}
    assert services.inventory.get(f"/reservations/{order_id}")[1] == {**made, "status": "reserved"}
    assert services.notification.get(f"/notifications/{order_id}")[1] == [
        {**made, "kind": "InventoryReserved"}
    ]
    shown = {"order_id": order_id, **asked(user, burger=2, fries=1), "answered": 200}
    assert services.order.get(f"/orders/{order_id}")[1] == shown
    assert services.attempts(user) == (1, 1)


GONE = {"error": "reserve-failed", "inventory_status": 500, "attempts": 3}

OUTCOMES: dict[str, tuple[int, dict[str, Any], tuple[int, int]]] = {
    "": (200, {"status": "success"}, (1, 1)),
    "delay=0.2": (200, {"status": "success"}, (1, 1)),
    "notification_delay=0.2": (200, {"status": "success"}, (1, 1)),
    "fail=500": (502, GONE, (3, 0)),
    "fail=503": (502, {**GONE, "inventory_status": 503}, (3, 0)),
    "fail=404": (502, {**GONE, "inventory_status": 404, "attempts": 1}, (1, 0)),
    "fail=429": (502, {**GONE, "inventory_status": 429, "attempts": 1}, (1, 0)),
    "fail=500&fail_times=1": (200, {"status": "success"}, (2, 1)),
    "fail=500&fail_times=2": (200, {"status": "success"}, (3, 1)),
    "fail_times=2": (200, {"status": "success"}, (3, 1)),
    "fail=500&fail_times=3": (502, GONE, (3, 0)),
    "delay=0.1&fail=500": (502, GONE, (3, 0)),
    "notification_fail=500": (
        502,
        {"error": "send-failed", "notification_status": 500, "attempts": 1},
        (1, 1),
    ),
    "notification_fail=400": (
        502,
        {"error": "send-failed", "notification_status": 400, "attempts": 1},
        (1, 1),
    ),
    "notification_fail_times=1": (
        502,
        {"error": "send-failed", "notification_status": 500, "attempts": 1},
        (1, 1),
    ),
    "fail_times=1&notification_delay=0.1": (200, {"status": "success"}, (2, 1)),
}
"""For each query: the answer, and the attempts that inventory and notification see."""


@pytest.mark.parametrize("query", OUTCOMES)
def test_faults_by_query(services: Chain, user: str, query: str) -> None:
    """Retried on 5xx only; whatever is answered with an error holds no stock in the end, and stays answered so."""
    status, content, attempts = OUTCOMES[query]
    if status == 200:
        content = {**content, **asked(user)}
    for _repeat in range(2):
        found, answer = services.order.post(asked(user), user, f"/order?{query}")
        answer.pop("order_id", None)
        assert (found, answer) == (status, content)
        assert services.attempts(user) == attempts
    if status == 200:
        assert (services.status(user), services.told(user)) == (["reserved"], 1)
    elif attempts != (1, 0):  # else inventory has refused it for certain, and there is nothing to release
        services.released(user)
        assert services.told(user) == 0


def test_stock_of_failed_orders_comes_back(services: Chain, user: str) -> None:
    """All of it, once."""
    before = services.inventory.get("/stock")[1]
    for number in range(3):
        status, _ = services.order.post(
            asked(f"{user}-{number}", burger=7), "", "/order?notification_fail=500"
        )
        assert status == 502
    for number in range(3):
        services.released(f"{user}-{number}")
    assert services.inventory.get("/stock")[1] == before


@pytest.mark.parametrize(
    ("query", "least"), [("fail=500", 1.5), ("fail_times=2", 1.5), ("fail_times=1", 0.5), ("delay=0.7", 0.7)]
)
def test_the_schedule_is_that_of_the_book(tmp_path_factory: Any, query: str, least: float) -> None:
    """Half a second, then a second; with what a busy machine adds, still less than the next step."""
    with started(tmp_path_factory.mktemp("schedule"), BACKOFF="") as services:
        services.order.post(ASKED)  # the first request opens connections
        began = time.monotonic()
        services.order.post(ASKED, "", f"/order?{query}")
        assert least <= time.monotonic() - began < least + 1.5


def test_a_business_failure_is_final(services: Chain, user: str) -> None:
    """Neither tried again nor notified; asked again under its key it is the same."""
    for key, items, reason in (
        ("a", {"sushi": 1}, "unknown item: sushi"),
        ("b", {"burger": 10**6}, "too little stock: burger"),
    ):
        first = services.order.post(asked(user, **items), user + key)
        assert (first[0], first[1]["title"], first[1]["detail"]) == (409, "Not reserved", reason)
        assert services.order.post(asked(user, **items), user + key) == first
        assert services.attempts(user + key) == (1, 0)
    assert (services.status(user), services.told(user)) == (["failed", "failed"], 0)


def test_time_outs_are_tried_again_and_then_released(services: Chain, user: str) -> None:
    """The reservations that come after the order was given up take nothing."""
    before = services.inventory.get("/stock")[1]
    status, answer = services.order.post(asked(user), user, "/order?delay=1")
    reason = answer.pop("reason")
    assert (status, answer) == (502, {**GONE, "inventory_status": None})
    assert "timed out" in reason
    assert services.attempts(user) == (3, 0)
    services.released(user)
    late = "Order %s: released"
    order_id = services.inventory.lines("Order ")[-1]["order_id"]
    until(lambda: len(services.inventory.lines(late % order_id)) == 4, "three late reservations")
    assert services.inventory.get("/stock")[1] == before


@pytest.mark.parametrize("way", ["lose", "cut"])
def test_a_lost_answer_reserves_once(tmp_path_factory: Any, way: str) -> None:
    """The reservation happened, its answer did not arrive: the second attempt has the key of the first."""
    with (
        Between("INVENTORY_URL", "/reserve") as between,
        started(tmp_path_factory.mktemp("lost"), between, ATTEMPT_TIMEOUT="0.5") as services,
    ):
        setattr(between, way, 1)
        assert services.order.post(ASKED, "k1")[0] == 200
        assert between.keys == ["k1", "k1"]
        assert services.inventory.stock("burger") == 999
        assert (services.status("u1"), services.told("u1")) == (["reserved"], 1)


def test_repeats_at_once_are_one_order(services: Chain, user: str) -> None:
    """Everybody waits for the one answer; nobody doubles an attempt."""
    with ThreadPoolExecutor(8) as threads:
        posts = [
            threads.submit(services.order.post, asked(user), user, "/order?fail_times=1&delay=0.1")
            for _ in range(8)
        ]
        answers = [post.result() for post in posts]
    assert answers[0][0] == 200
    assert answers == answers[:1] * 8
    assert services.attempts(user) == (2, 1)
    assert services.status(user) == ["reserved"]


def test_a_key_stands_for_one_order(services: Chain, user: str) -> None:
    """At every service; what is refused changes nothing."""
    order_id = services.order.post(asked(user), user)[1]["order_id"]
    other = {"order_id": order_id, **asked(user, fries=1)}
    before = services.inventory.get("/stock")[1]
    for service, path, content in (
        (services.order, "/order", asked(user, fries=1)),
        (services.inventory, "/reserve", other),
        (services.inventory, "/release", other),
        (services.notification, "/send", other),
    ):
        status, problem = service.post(content, user, path)
        assert (status, problem["field"]) == (422, "Idempotency-Key")
    status, _ = services.inventory.post({"order_id": order_id, **asked(user)}, user + "-other", "/reserve")
    assert status == 422
    assert services.inventory.get("/stock")[1] == before
    assert services.status(user) == ["reserved"]


def test_a_release_that_comes_first_leaves_a_tombstone(services: Chain, user: str) -> None:
    """The reservation takes nothing when it comes; given back twice is given back once."""
    before = services.inventory.get("/stock")[1]
    order = {"order_id": user, **asked(user)}
    for path, status in (("/release", 200), ("/reserve", 409), ("/release", 200), ("/reserve", 409)):
        found, content = services.inventory.post(order, user, path)
        assert (found, content.get("outcome", content["status"])) == (status, "released")
        assert services.inventory.get("/stock")[1] == before
    order = {"order_id": user + "2", **asked(user)}
    for path, left in (("/reserve", 1), ("/release", 0), ("/release", 0), ("/reserve", 0)):
        services.inventory.post(order, user + "2", path)
        assert services.inventory.get("/stock")[1]["burger"] == before["burger"] - left


WRONG_QUERIES = {
    "delay=-1": "delay",
    "delay=nan": "delay",
    "delay=1e3": "delay",
    "delay=": "delay",
    "delay=4000": "delay",
    "fail=200": "fail",
    "fail=600": "fail",
    "fail=abc": "fail",
    "fail=+500": "fail",
    "fail_times=0": "fail_times",
    "fail_times=x": "fail_times",
    "fail=500&fail=503": "fail",
    "dleay=2": "dleay",
}


@pytest.mark.parametrize("name", SERVICES)
def test_wrong_queries_are_refused(services: Chain, user: str, name: str) -> None:
    """By the name of the parameter, and nothing is done."""
    service, order = getattr(services, name), {"order_id": user, **asked(user)}
    if name == "order":
        del order["order_id"]
    for query, field in WRONG_QUERIES.items():
        status, problem = service.post(order, user, f"{PATHS[name]}?{query}")
        assert (query, status, problem["field"]) == (query, 400, field)
    assert services.attempts(user) == (0, 0)
    assert (services.status(user), services.told(user)) == ([], 0)


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("query", ["delay=0", "fail=500", "fail_times=1"])
def test_faults_without_permission_are_forbidden(forbidding: Chain, user: str, name: str, query: str) -> None:
    """Never ignored silently, not even one that would change nothing."""
    service, order = getattr(forbidding, name), {"order_id": user, **asked(user)}
    if name == "order":
        del order["order_id"]
    status, problem = service.post(order, user, f"{PATHS[name]}?{query}")
    assert (status, problem["title"]) == (403, "Fault injection is off")
    assert "FAULT_INJECTION=1" in problem["detail"]
    assert forbidding.attempts(user) == (0, 0)
    assert (forbidding.status(user), forbidding.told(user)) == ([], 0)


def test_a_fault_that_only_order_permits_is_not_ignored_either(
    forbidding: Chain, tmp_path_factory: Any
) -> None:
    """Inventory forbids it, which is final."""
    urls = {
        "INVENTORY_URL": forbidding.inventory.address,
        "NOTIFICATION_URL": forbidding.notification.address,
    }
    with Service(ORDER, tmp_path_factory.mktemp("order"), FAULT_INJECTION="1", **urls) as order:
        order.start()
        answer = {"error": "reserve-failed", "inventory_status": 403, "attempts": 1}
        assert order.post(ASKED, "", "/order?fail=500") == (502, answer)


WRONG_BODIES = {
    b"": "body",
    b"{": "body",
    b"[]": "body",
    b"\xff": "body",
    b'{"user_id": "u", "items": {"burger": 0}}': "items.burger",
    b'{"user_id": "u", "items": {"burger": -1}}': "items.burger",
    b'{"user_id": "u", "items": {"burger": true}}': "items.burger",
    b'{"user_id": "u", "items": {"burger": "1"}}': "items.burger",
    b'{"user_id": "u", "items": {}}': "items",
    b'{"user_id": 1, "items": {"burger": 1}}': "user_id",
    b'{"user_id": "u"}': "items",
    b'{"user_id": "u", "items": {"burger": 1}, "coupon": "x"}': "coupon",
    json.dumps({"user_id": "u", "items": {f"i{n}": 1 for n in range(51)}}).encode(): "items",
}


@pytest.mark.parametrize("name", SERVICES)
def test_bad_input_is_refused_by_its_field(services: Chain, user: str, name: str) -> None:
    """With a problem document, and nothing is stored."""
    service = getattr(services, name)
    before = services.inventory.get("/stock")[1]
    for body, field in WRONG_BODIES.items():
        content = body
        if name != "order" and body.endswith(b"}"):
            content = body[:-1] + b', "order_id": "' + user.encode() + b'"}'
        status, problem = service.post(content, user, PATHS[name])
        assert (body, status, problem["field"]) == (body, 400, field)
    large = {"user_id": user, "items": {"burger": 1}, "x": "x" * 65536}
    status, problem = service.post(large, user, PATHS[name])
    assert (status, problem["field"]) == (413, "body")
    assert services.inventory.get("/stock")[1] == before
    assert services.attempts(user) == (0, 0)


@pytest.mark.parametrize(
    ("name", "path"), [("inventory", "/reserve"), ("inventory", "/release"), ("notification", "/send")]
)
def test_a_request_without_a_key_could_not_be_repeated(
    services: Chain, user: str, name: str, path: str
) -> None:
    """So it is refused, as is a key that is too long."""
    service, order = getattr(services, name), {"order_id": user, **asked(user)}
    for key in ("", "k" * 256):
        status, problem = service.post(order, key, path)
        assert (status, problem["field"]) == (400, "Idempotency-Key")
    assert (services.status(user), services.told(user)) == ([], 0)


def test_health_is_that_of_the_chain(tmp_path_factory: Any) -> None:
    """Order can do nothing without the others, says which is missing, and recovers by itself."""
    with chain(tmp_path_factory.mktemp("health")) as services:
        services.order.start(status=503)
        assert services.inventory.address in services.order.get("/health")[1]["reason"]
        services.inventory.start()
        assert services.notification.address in services.order.get("/health")[1]["reason"]
        services.notification.start()
        assert services.order.status() == 200
        services.inventory.kill()
        assert services.order.status() == 503
        services.inventory.start()
        assert services.order.post(ASKED)[0] == 200


@pytest.mark.parametrize("module", [ORDER, INVENTORY, NOTIFICATION])
def test_nothing_reserved_shows_as_unknown(services: Chain, module: str) -> None:
    """404, with the id that was asked for."""
    name = module.rpartition(".")[2]
    paths = {
        "order": "/orders/x%20y",
        "inventory": "/reservations/x%20y",
        "notification": "/notifications/x%20y",
    }
    assert getattr(services, name).get(paths[name]) == (404, {"error": "unknown-order", "order_id": "x y"})
