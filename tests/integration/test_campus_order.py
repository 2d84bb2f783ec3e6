"""The reference order service on a real RabbitMQ."""

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from campus import HTTP, Queues, Service, Wire, until

from campus_food.messages import parse_order
from campus_food.rabbitmq import topology

ORDER = "campus_food.rabbitmq.order"
ASKED = {"user_id": "u1", "items": {"burger": 1}}


@pytest.fixture
def service(wire: Wire, tmp_path: Path) -> Iterator[Service]:
    """Start the service, which is alone: nobody takes its orders."""
    with Service(ORDER, tmp_path, AMQP_URL=wire.url) as service:
        service.start()
        yield service


def placed(service: Service, key: str = "") -> str:
    """Place an order; return its id."""
    status, answer = service.post(ASKED, key)
    assert (status, answer) == (200, {"status": "success", "order_id": answer["order_id"]})
    return str(answer["order_id"])


def test_an_order_is_on_the_broker_when_it_is_answered(service: Service, queues: Queues) -> None:
    """The message has the ids of the answer and of the properties, and the inventory can read it."""
    order_id = placed(service)
    assert queues.depth(topology.ORDERS) == 1
    properties, body = queues.take(topology.ORDERS)
    order = parse_order(body, properties.message_id)
    assert (order.order_id, order.user_id, order.items) == (order_id, "u1", {"burger": 1})
    assert (properties.delivery_mode, properties.type) == (2, "OrderPlaced")
    assert json.loads(body)["message_id"] == properties.message_id
    assert service.get(f"/orders/{order_id}")[1] == {"order_id": order_id, **ASKED, "confirmed": True}


def test_without_a_key_every_request_is_an_order(service: Service, queues: Queues) -> None:
    """Nobody is refused for ordering twice."""
    assert placed(service) != placed(service)
    assert queues.depth(topology.ORDERS) == 2


def test_a_confirmed_key_is_answered_and_not_published_again(service: Service, queues: Queues) -> None:
    """After a restart too; and it stands for no other order."""
    order_id = placed(service, "k1")
    assert placed(service, "k1") == order_id
    assert service.stop() == 0
    service.start()
    assert placed(service, "k1") == order_id
    status, told = service.post({"user_id": "u1", "items": {"burger": 2}}, "k1")
    assert (status, told["field"]) == (422, "Idempotency-Key")
    assert queues.depth(topology.ORDERS) == 1


def test_requests_at_the_same_time(service: Service, queues: Queues) -> None:
    """Keys of their own make orders of their own; one key, asked eight times at once, makes one."""
    with ThreadPoolExecutor(8) as threads:
        apart = list(threads.map(lambda number: placed(service, f"k{number}"), range(40)))
        same = set(threads.map(lambda _: placed(service, "same"), range(8)))
    found = [queues.take(topology.ORDERS) for _ in range(queues.depth(topology.ORDERS))]
    assert len({properties.message_id for properties, _ in found}) == 41
    assert {json.loads(body)["order_id"] for _, body in found} == {*apart, *same}
    assert (len(set(apart)), len(same)) == (40, 1)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, "body"),
        (b"", 400, "body"),
        (b'["an array"]', 400, "body"),
        (b" " * 65537, 413, "body"),
        (ASKED | {"extra": 1}, 400, "extra"),
        (ASKED | {"order_id": "o1"}, 400, "order_id"),
        (ASKED | {"user_id": 7}, 400, "user_id"),
        ({"items": {"burger": 1}}, 400, "user_id"),
        ({"user_id": "u1"}, 400, "items"),
        (ASKED | {"items": {}}, 400, "items"),
        (ASKED | {"items": ["burger"]}, 400, "items"),
        (ASKED | {"items": {str(number): 1 for number in range(51)}}, 400, "items"),
        (ASKED | {"items": {"burger": 0}}, 400, "items.burger"),
        (ASKED | {"items": {"burger": -1}}, 400, "items.burger"),
        (ASKED | {"items": {"burger": "1"}}, 400, "items.burger"),
        (ASKED | {"items": {"burger": True}}, 400, "items.burger"),
    ],
)
def test_bad_input_is_a_problem(service: Service, queues: Queues, body: Any, status: int, field: str) -> None:
    """It names the field, and leaves nothing behind, neither stored nor published."""
    assert service.post(body, "k1")[0] == status
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = HTTP.request("POST", f"http://127.0.0.1:{service.port}/order", body=sent)
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], told["field"], told["type"]) == (status, field, "about:blank")
    assert told["detail"].startswith(field)
    assert stored(service) == queues.depth(topology.ORDERS) == 0


def test_a_key_that_is_none_is_a_problem(service: Service) -> None:
    """It is named like a field."""
    status, told = service.post(ASKED, "k" * 256)
    assert (status, told["field"]) == (400, "Idempotency-Key")


def stored(service: Service) -> int:
    """Return how many orders are in the database."""
    other = sqlite3.connect(service.database)
    count = other.execute("SELECT count(*) FROM orders").fetchone()[0]
    other.close()
    return int(count)


def test_an_unroutable_order_is_unknown_and_then_placed(service: Service, queues: Queues) -> None:
    """The queue is made again for the next try, which places the same order."""
    queues.channel.queue_delete(topology.ORDERS)
    assert service.post(ASKED, "k1")[0] == 503
    order_id = placed(service, "k1")
    assert json.loads(queues.take(topology.ORDERS)[1])["order_id"] == order_id
    assert stored(service) == 1


def test_a_missing_confirm_is_unknown_and_keeps_the_message(
    wire: Wire, queues: Queues, tmp_path: Path
) -> None:
    """The wait is bounded; the repeat may make a second copy of the message, and never a second message."""
    with Service(ORDER, tmp_path, AMQP_URL=wire.url, CONFIRM_WITHIN="1") as service:
        service.start()
        wire.silent.set()
        began = time.monotonic()
        assert service.post(ASKED, "k1")[0] == 503
        assert 1 <= time.monotonic() - began < 3
        assert service.status() == 503
        assert service.post(ASKED, "k1")[0] == 503
        until(lambda: queues.depth(topology.ORDERS) == 1, "the first copy")
        wire.cut()
        wire.silent.clear()
        until(lambda: service.status() == 200, "healthy again")
        placed(service, "k1")
    first, second = queues.take(topology.ORDERS), queues.take(topology.ORDERS)
    assert first[1] == second[1]
    assert first[0].message_id == second[0].message_id


def test_a_cut_while_a_confirm_is_awaited_is_told_at_once(
    service: Service, wire: Wire, queues: Queues
) -> None:
    """Nobody waits for an answer that cannot come."""
    wire.silent.set()
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(service.post, ASKED, key) for key in ("k1", "k1", "k2")]
        queues.take(topology.ORDERS)  # the broker has it, and its confirm does not come through
        assert not any(each.done() for each in asked)
        wire.cut()
        began = time.monotonic()
        assert [each.result()[0] for each in asked] == [503] * 3
        assert time.monotonic() - began < 1
    wire.silent.clear()
    until(lambda: service.status() == 200, "healthy again")
    placed(service, "k1")


def test_without_a_broker_it_is_unhealthy_and_places_nothing(tmp_path: Path) -> None:
    """It answers at once, and says that it is unknown what became of the order."""
    with Service(ORDER, tmp_path, AMQP_URL="amqp://127.0.0.1:1/") as service:
        service.start(status=503)
        status, told = service.post(ASKED)
        assert (status, told["title"]) == (503, "Not confirmed")
        assert "Idempotency-Key" in told["detail"]
        assert service.stop() == 0


def test_a_locked_database_is_told(service: Service, queues: Queues) -> None:
    """Nothing is published that was not stored before."""
    other = sqlite3.connect(service.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert service.post(ASKED, "k1")[0] == 503
    assert queues.depth(topology.ORDERS) == 0
    other.execute("ROLLBACK")
    other.close()
    placed(service, "k1")


def test_an_order_goes_through_the_whole_chain(service: Service, queues: Queues, tmp_path: Path) -> None:
    """Ordered while the others are down, it is reserved and confirmed once they are there."""
    order_id = placed(service)
    names = ("campus_food.rabbitmq.inventory", "campus_food.rabbitmq.notification")
    inventory, notification = (Service(name, tmp_path, AMQP_URL=queues.url) for name in names)
    with inventory, notification:
        inventory.start()
        notification.start()
        assert inventory.settled(order_id) == "reserved"
        path = "/users/u1/notifications"
        until(lambda: notification.get(path)[0] == 200, "notified")
        told = [{"kind": "InventoryReserved", "items": {"burger": 1}, "reason": ""}]
        assert notification.get(path)[1] == told
        done = [{"status": "reserved", "items": {"burger": 1}, "reason": ""}]
        assert inventory.get("/users/u1/reservations")[1] == done
