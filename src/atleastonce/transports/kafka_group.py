"""Others on the same topic: a producer whose transaction is aborted, and a second member of the subject's group."""

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, Message, Producer

from atleastonce.transports import Envelope
from atleastonce.transports.kafka_client import BASE, CONSUMER, PRODUCER, WITHIN, produced

_POLL = 0.05
_MEMBER = {
    "partition.assignment.strategy": "range,roundrobin",
    "enable.partition.eof": False,
    "auto.offset.reset": "earliest",
}


def aborted(servers: Mapping[str, str], name: str, topic: str, envelope: Envelope) -> Message:
    """Produce one copy in a transaction, abort that, and return the delivery report."""
    producer = Producer({**BASE, **PRODUCER, **servers, "transactional.id": f"{name}-aborts"})
    producer.init_transactions(WITHIN)
    producer.begin_transaction()
    report = produced(producer, topic, envelope)
    producer.abort_transaction(WITHIN)
    return report


def joined(servers: Mapping[str, str], group: str, topic: str) -> None:
    """Join a group, take what is assigned without reading any of it, and leave; raise TimeoutError."""
    assigned: list[Any] = []

    def take(consumer: Consumer, partitions: list[Any]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)
        assigned.append(partitions)

    consumer = Consumer({**CONSUMER, **_MEMBER, **servers, "group.id": group})
    try:
        consumer.subscribe([topic], on_assign=take)
        until = time.monotonic() + WITHIN
        while not assigned:
            consumer.poll(_POLL)
            if time.monotonic() > until:
                raise TimeoutError("no partitions were assigned to a second member")
    finally:
        consumer.close()
