"""What becomes of a record that nobody can read: a copy, bytes and headers as they are, with the reason beside."""

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import Message

# Bytes. A record that its topic just took may not fit into another one with headers of ours.
ROOM = 900_000

log = logging.getLogger(__name__)


def where(record: Message) -> str:
    """Return the place of a record, as topic/partition/offset."""
    return f"{record.topic()}/{record.partition()}/{record.offset()}"


def set_aside(produce: Callable[..., Any], topic: str | None, record: Message, reason: str) -> None:
    """Hand a copy over for the dead-letter topic, where there is one."""
    log.warning("Poison at %s, set aside", where(record), extra={"reason": reason})
    if topic is None:
        return
    headers: list[Any] = list(record.headers() or [])
    if len(record.value() or b"") < ROOM:
        headers += [("dead-letter-reason", reason), ("dead-letter-from", where(record))]
    produce(topic, key=record.key(), value=record.value(), headers=headers)
