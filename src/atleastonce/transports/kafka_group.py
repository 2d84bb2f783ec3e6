"""Others on the same topic: a producer whose transaction is aborted, and a second member of the subject's group."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupType, Message, Producer
from confluent_kafka.admin import AdminClient

from atleastonce.transports import Envelope
from atleastonce.transports.kafka_client import BASE, CONSUMER, PRODUCER, WITHIN, produced

_POLL = 0.05
_MEMBER = {"enable.partition.eof": False, "auto.offset.reset": "earliest"}
_CLASSIC = {"heartbeat.interval.ms": 100, "session.timeout.ms": 6000}
"""A classic member learns of the next round by a heartbeat; and is gone for certain as soon as a broker allows."""
_PATIENCE = 3.0
"""How long a member without any part waits for one, in seconds: with cooperative assignors it comes a round later."""
_ASSIGNORS = ("range", "roundrobin", "cooperative-sticky")
"""Those that our client knows; the members of a group must agree on one."""


def aborted(servers: Mapping[str, str], name: str, topic: str, envelope: Envelope) -> Message:
    """Produce one copy in a transaction, abort that, and return the delivery report."""
    producer = Producer({**BASE, **PRODUCER, **servers, "transactional.id": f"{name}-aborts"})
    producer.init_transactions(WITHIN)
    producer.begin_transaction()
    report = produced(producer, topic, envelope)
    producer.abort_transaction(WITHIN)
    return report


def joined(admin: AdminClient, servers: Mapping[str, str], group: str, topic: str) -> bool:
    """Join a group, take a part without settling any of it, and leave; say whether that can be done.

    A group without members is none to share with, and one whose members divide their partitions by a protocol
    of their own takes no other. Raise TimeoutError where it takes us, and nothing comes of it.
    """
    found = _described(admin, group)
    if found.type == ConsumerGroupType.CONSUMER:
        protocol: dict[str, Any] = {"group.protocol": "consumer"}
    elif found.partition_assignor in _ASSIGNORS:
        protocol = {"partition.assignment.strategy": found.partition_assignor, **_CLASSIC}
    else:
        return False
    if found.members:
        _visit(admin, {**CONSUMER, **_MEMBER, **protocol, **servers, "group.id": group}, topic)
    return bool(found.members)


def _visit(admin: AdminClient, settings: Mapping[str, Any], topic: str) -> None:
    parts: list[list[Any]] = []
    last = until = time.monotonic() + WITHIN
    group, client = settings["group.id"], f"atleastonce-{uuid.uuid4().hex}"

    def assigned(_: Consumer, partitions: list[Any]) -> None:
        nonlocal until
        if not parts:  # the next round comes once those who are to give some up have joined again
            until = time.monotonic() + _PATIENCE
        parts.append(partitions)

    consumer = Consumer({**settings, "client.id": client})
    try:
        consumer.subscribe([topic], on_assign=assigned)
        while not any(parts) and time.monotonic() < last:
            consumer.poll(_POLL)  # what it reads is not committed: it comes again to who owns it then
            # Whoever leaves while the members come together again stays among them, until its session has ended.
            if time.monotonic() > until and _described(admin, group).state == ConsumerGroupState.STABLE:
                break
    finally:
        consumer.close()
    if not parts:
        raise TimeoutError("no partitions were assigned to a second member")
    _await_gone(admin, group, client)


def _await_gone(admin: AdminClient, group: str, client: str) -> None:
    """Wait until a member is none any more: it would keep partitions that nobody reads."""
    until = time.monotonic() + WITHIN
    while any(member.client_id == client for member in _described(admin, group).members):
        if time.monotonic() > until:
            raise TimeoutError("the second member has left, and is still in the group")
        time.sleep(_POLL)


def _described(admin: AdminClient, group: str) -> Any:
    return admin.describe_consumer_groups([group], request_timeout=WITHIN)[group].result(WITHIN)
