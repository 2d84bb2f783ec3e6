"""How often the reference inventory tries a message, on a real RabbitMQ, and what it blames for a crash."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from campus import Queues, Service, order, until

from campus_food.rabbitmq import topology

INVENTORY = "campus_food.rabbitmq.inventory"
DEAD = topology.INVENTORY_DEAD

FAIL = {"inject": "fail", "trace": "7"}
EXIT = {"inject": "exit", "trace": "7"}

SOUND = order(9)


@pytest.fixture
def service(queues: Queues, queue_type: str, tmp_path: Path) -> Iterator[Service]:
    """Start the inventory, which does what messages ask for."""
    env = {"AMQP_URL": queues.url, "QUEUE_TYPE": queue_type, "FAULT_INJECTION": "1"}
    with Service(INVENTORY, tmp_path, **env) as service:
        service.start()
        yield service


def ends(service: Service, starts: int) -> None:
    """Wait until the process ended by itself, and start it again; so often."""
    for _ in range(starts):
        assert service.ended() == 1
        service.launch()


def reason(service: Service, number: int) -> str:
    """Return why a message was set aside, which the log must say once."""
    (line,) = service.lines(f"Message m{number} set aside")
    return str(line["reason"])


def test_a_failing_message_is_tried_five_times_and_set_aside(service: Service, queues: Queues) -> None:
    """The delays double; body and headers arrive as they were; the orders around it take effect."""
    queues.publish(order(1))
    queues.publish(order(2), headers=FAIL)
    queues.publish(order(3))
    properties, body = queues.take(DEAD)
    assert json.loads(body) == order(2)
    assert {name: properties.headers[name] for name in FAIL} == FAIL
    times = [datetime.fromisoformat(line["time"]).timestamp() for line in service.lines("Attempt ")]
    delays = [later - earlier for earlier, later in pairwise(times)]
    assert delays == pytest.approx([0.05, 0.1, 0.2, 0.4], abs=0.1)
    assert reason(service, 2) == "failed 5 times"
    assert [service.settled("o1"), service.settled("o3")] == ["reserved", "reserved"]
    assert service.get("/reservations/o2")[0] == 404


def test_attempts_survive_crashes_and_blame_nobody_else(service: Service, queues: Queues) -> None:
    """After five crashes the one that caused them is set aside, and those fetched beside it are handled."""
    with paused(service):
        queues.publish(order(1), headers=EXIT)
        for number in range(2, 6):
            queues.publish(order(number))
    ends(service, 5)
    properties, body = queues.take(DEAD)
    assert json.loads(body) == order(1)
    assert {name: properties.headers[name] for name in EXIT} == EXIT
    assert reason(service, 1) == "begun 5 times, and never finished"
    assert {service.settled(f"o{number}") for number in range(2, 6)} == {"reserved"}
    until(lambda: queues.depth(topology.ORDERS) == 0, "empty queue")
    assert queues.depth(DEAD) == 0


@contextmanager
def paused(service: Service) -> Iterator[None]:
    """Keep the service down for a while, so that it fetches at once what is published meanwhile."""
    assert service.stop() == 0
    yield
    service.launch()


def test_crashes_after_the_effect_are_no_poison(service: Service, queues: Queues) -> None:
    """A message that had its effect is a duplicate, however often its acknowledgement was lost."""
    queues.publish(order(1))
    service.settled("o1")
    queues.publish(order(1), headers=EXIT)
    ends(service, 5)
    until(lambda: service.logged("Message m1 already processed"), "the duplicate recognised")
    assert service.settled("o1") == "reserved"
    assert service.stop() == 0
    assert [queues.depth(queue) for queue in (topology.ORDERS, DEAD)] == [0, 0]


@pytest.mark.parametrize(
    "poison",
    [
        b'{"order_id": "poison", "invalid": json}',
        json.dumps(SOUND | {"items": {"burger": 0}}).encode(),
        b'["an array"]',
        json.dumps(SOUND | {"user_id": 70000 * "x"}).encode(),
    ],
    ids=["not-json", "wrong-schema", "wrong-type", "too-large"],
)
def test_poison_is_not_tried_again(service: Service, queues: Queues, poison: bytes) -> None:
    """It is set aside whole, at once, with the reason in the log."""
    queues.publish(poison, headers={"trace": "7"}, message_id="m9")
    properties, body = queues.take(DEAD)
    assert (body, properties.message_id, properties.headers["trace"]) == (poison, "m9", "7")
    (line,) = service.lines("Poison, set aside")
    assert line["message_id"] == "m9"
    assert service.lines("Attempt ") == []


@pytest.mark.parametrize("asked", ["fail", "exit", "explode"])
def test_without_permission_a_fault_is_refused(queues: Queues, tmp_path: Path, asked: str) -> None:
    """Such a message is set aside with the reason, and never handled as if it asked for nothing."""
    with Service(INVENTORY, tmp_path, AMQP_URL=queues.url, FAULT_INJECTION="") as service:
        service.start()
        queues.publish(order(1), headers={"inject": asked})
        assert json.loads(queues.take(DEAD)[1]) == order(1)
        (line,) = service.lines("Poison, set aside")
        assert "FAULT_INJECTION=1" in line["reason"]
        assert service.get("/reservations/o1")[0] == 404


def test_another_number_of_attempts(queues: Queues, tmp_path: Path) -> None:
    """It is a setting."""
    env = {"AMQP_URL": queues.url, "FAULT_INJECTION": "1", "ATTEMPTS": "2"}
    with Service(INVENTORY, tmp_path, **env) as service:
        service.start()
        queues.publish(order(1), headers=FAIL)
        queues.take(DEAD)
        assert reason(service, 1) == "failed 2 times"


def test_it_is_healthy_while_it_holds_a_message(service: Service, queues: Queues) -> None:
    """A message that fails says nothing about the service."""
    queues.publish(order(1), headers=FAIL)
    until(lambda: service.lines("Attempt 4"), "the longest delay")
    assert service.status() == 200
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 5
