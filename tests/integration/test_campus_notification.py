"""The reference notification service on a real RabbitMQ."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campus import Queues, Service, Wire, order, until

from campus_food.rabbitmq import topology

NOTIFICATION = "campus_food.rabbitmq.notification"
RESERVED, FAILED = topology.OUTCOMES.values()
DEAD = topology.NOTIFICATION_DEAD


def failed(number: int) -> dict[str, Any]:
    """Make the outcome of an order that was refused."""
    return order(number, caviar=1) | {"reason": "unknown item: caviar"}


@pytest.fixture
def service(wire: Wire, tmp_path: Path) -> Iterator[Service]:
    """Start the service."""
    with Service(NOTIFICATION, tmp_path, AMQP_URL=wire.url, FAULT_INJECTION="1") as service:
        service.start()
        yield service


def sent(service: Service, number: int) -> list[dict[str, Any]]:
    """Wait until something was sent about an order; return all that was."""
    path = f"/notifications/o{number}"
    until(lambda: service.get(path)[0] == 200, path)
    found: list[dict[str, Any]] = service.get(path)[1]
    return found


def test_outcomes_of_both_kinds_are_confirmed(service: Service, queues: Queues) -> None:
    """The person who ordered is told what became of it, and others nothing."""
    queues.publish(order(1), RESERVED)
    queues.publish(failed(2), FAILED)
    told = {"order_id": "o1", "user_id": "u1", "kind": "InventoryReserved", "items": {"burger": 1}}
    assert sent(service, 1) == [told | {"reason": ""}]
    (second,) = sent(service, 2)
    assert (second["kind"], second["reason"]) == ("InventoryFailed", "unknown item: caviar")
    kinds = [each["kind"] for each in service.get("/users/u1/notifications")[1]]
    assert sorted(kinds) == ["InventoryFailed", "InventoryReserved"]
    assert service.get("/notifications/o3")[0] == service.get("/users/u2/notifications")[0] == 404


def test_a_duplicate_is_sent_once(service: Service, queues: Queues) -> None:
    """The copy is acknowledged, with a line in the log; a restart forgets nothing."""
    for number in (1, 1, 2):
        queues.publish(order(number), RESERVED)
    assert len(sent(service, 2)) == len(sent(service, 1)) == 1
    assert service.logged("Message m1 already processed, skipping (idempotency)")
    assert service.stop() == 0
    assert [queues.depth(queue) for queue in (RESERVED, DEAD)] == [0, 0]
    service.start()
    queues.publish(order(1), RESERVED)
    queues.publish(order(3), RESERVED)
    assert len(sent(service, 3)) == len(sent(service, 1)) == 1


@pytest.mark.parametrize("queue", [RESERVED, FAILED])
def test_poison_is_set_aside_whole(service: Service, queues: Queues, queue: str) -> None:
    """From either queue, body and headers as they were; what comes after it is handled."""
    poison = b'{"order_id": "poison", "invalid": json}'
    queues.publish(poison, queue, headers={"trace": "7"})
    queues.publish(order(1), RESERVED)
    properties, body = queues.take(DEAD)
    assert (body, properties.headers["trace"]) == (poison, "7")
    assert properties.headers["x-death"][0]["queue"] == queue
    assert len(sent(service, 1)) == 1


def test_an_outcome_in_the_wrong_queue_is_poison(service: Service, queues: Queues) -> None:
    """A refusal is never told as a success."""
    queues.publish(failed(1), RESERVED)
    assert json.loads(queues.take(DEAD)[1]) == failed(1)
    assert service.get("/notifications/o1")[0] == 404


def test_attempts_survive_crashes(service: Service, queues: Queues) -> None:
    """As at the inventory: five times begun, then set aside; its neighbour is told."""
    queues.publish(order(1), RESERVED, headers={"inject": "exit"})
    queues.publish(order(2), RESERVED)
    for _ in range(5):
        assert service.ended() == 1
        service.launch()
    assert json.loads(queues.take(DEAD)[1]) == order(1)
    assert len(sent(service, 2)) == 1
    assert queues.depth(DEAD) == 0


def test_a_cut_link_is_found_again(service: Service, queues: Queues, wire: Wire) -> None:
    """It is unhealthy in between, and goes on by itself."""
    wire.cut()
    until(lambda: service.logged("Connecting again"), "the cut noticed")
    until(lambda: service.status() == 200, "healthy again")
    queues.publish(order(1), RESERVED)
    assert len(sent(service, 1)) == 1


def test_a_silent_link_is_no_health(service: Service, queues: Queues, wire: Wire) -> None:
    """Nothing is closed, and nothing comes: that is noticed by the heartbeats that are missing."""
    wire.silent.set()
    began = time.monotonic()
    until(lambda: service.status() == 503, "unhealthy")
    assert time.monotonic() - began < 10
    assert "nothing heard from the broker" in service.get("/health")[1]["reason"]
    wire.silent.clear()
    until(lambda: service.status() == 200, "healthy again")
    queues.publish(order(1), RESERVED)
    assert len(sent(service, 1)) == 1
