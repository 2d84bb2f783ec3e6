"""Tests of what a consumer on Kafka tells of its health while it waits for the broker."""

import threading
from typing import Any

import pytest
from campus import until

from campus_food.kafka import consumer
from campus_food.kafka.clients import Cluster
from campus_food.kafka.inventory import Inventory


def test_a_step_without_an_answer_is_told_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step fails with comes late: librdkafka may wait for twice as long as it was told."""
    monkeypatch.setattr(consumer, "SILENCE", 0.05)
    nothing_decided: Any = None
    worker = Inventory(Cluster("127.0.0.1:1", "orders", "events", "inventory"), nothing_decided)
    worker.problem = None
    answer = threading.Event()
    step = threading.Thread(target=worker.ask, args=[answer.wait])
    step.start()
    until(worker.health, "it says that it cannot work")
    assert "no answer from the broker" in str(worker.health())
    answer.set()
    step.join()
    assert worker.health() is None
