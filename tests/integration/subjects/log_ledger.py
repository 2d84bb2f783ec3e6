"""Writes orders from a log into a ledger, and what is none into a topic of its own, which is how it is settled.

`BUG` makes it wrong: `late-letter` (the offset is committed before the letter is out) or `latest` (without offsets it
begins at the end). With `INSTANCE` it is a static member of its group.
"""

import json
import os
import signal
import sqlite3

from confluent_kafka import Consumer, Message, Producer

BUG = os.environ.get("BUG", "")
GOES_ON = True


def stop(*_: object) -> None:
    """End behind what is in hand."""
    global GOES_ON  # noqa: PLW0603 - a handler has no other way
    GOES_ON = False


def order(record: Message) -> str:
    """Return the id of an order; raise ValueError where it is none."""
    try:
        return str(json.loads(record.value() or b"")["id"])
    except (KeyError, TypeError) as exc:
        raise ValueError("no order") from exc


def set_aside(record: Message) -> None:
    """Put a record into the dead-letter topic, as it came."""
    producer.produce(os.environ["DEAD"], record.value(), record.key(), headers=record.headers())
    assert producer.flush(10) == 0


def handle(record: Message) -> None:
    """Write an order down, once, or set aside what is none; then commit."""
    late: list[Message] = []
    try:
        database.execute("INSERT OR IGNORE INTO ledger VALUES (?)", (order(record),))
    except ValueError:
        late.append(record)
    if BUG != "late-letter":
        while late:
            set_aside(late.pop())
    consumer.commit(message=record, asynchronous=False)
    while late:
        set_aside(late.pop())


signal.signal(signal.SIGTERM, stop)
database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS ledger (id TEXT PRIMARY KEY)")
SERVERS = {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"]}
MEMBER = {"group.instance.id": os.environ["INSTANCE"]} if os.environ.get("INSTANCE") else {}
RESET = "latest" if BUG == "latest" else "earliest"
producer = Producer({**SERVERS, "enable.idempotence": True, "linger.ms": 0})
consumer = Consumer(
    {
        **SERVERS,
        **MEMBER,
        "group.id": os.environ["GROUP"],
        "enable.auto.commit": False,
        "auto.offset.reset": RESET,
    }
)
consumer.subscribe([os.environ["ORDERS"]])
while GOES_ON:
    found = consumer.poll(0.1)
    if found is not None and found.error() is None:
        handle(found)
consumer.close()
