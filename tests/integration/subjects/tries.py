"""Writes orders into a ledger, and sets aside what is none once it was tried three times, all of them correct ways.

`WAY` is how: `memory` (given back, and counted in memory), `copies` (published again with a count in a header, then
acknowledged) or `wrapped` (the same, in an envelope).
"""

import base64
import collections
import contextlib
import json
import os
import sqlite3
import time

import pika

TRIES = 3
WAY = os.environ["WAY"]
ATTEMPT, ENVELOPE = "x-attempt", b"again:"

database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS ledger (id TEXT PRIMARY KEY)")
channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
channel.confirm_delivery()
counted: collections.Counter[bytes] = collections.Counter()


def order(body: bytes) -> str:
    """Return the id of an order; raise ValueError where it is none."""
    with contextlib.suppress(KeyError, TypeError):
        return str(json.loads(body)["id"])
    raise ValueError("no order")


def publish(queue: str, body: bytes, properties: pika.BasicProperties, attempt: int = 0) -> None:
    """Publish a message as it came, but for the number of its next attempt."""
    others = {name: value for name, value in (properties.headers or {}).items() if name != ATTEMPT}
    headers = {**others, **({ATTEMPT: attempt} if attempt else {})}
    named = pika.BasicProperties(
        message_id=properties.message_id, headers=headers, delivery_mode=pika.DeliveryMode.Persistent
    )
    channel.basic_publish("", queue, body, named, mandatory=True)


def handle(_: object, method: pika.spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> None:
    """Write an order down; have what is none tried again, or set it aside."""
    whole = base64.b64decode(body.removeprefix(ENVELOPE)) if body.startswith(ENVELOPE) else body
    try:
        database.execute("INSERT OR IGNORE INTO ledger VALUES (?)", (order(whole),))
    except ValueError:
        counted[whole] += 1
        tries = counted[whole] if WAY == "memory" else int((properties.headers or {}).get(ATTEMPT, 1))
        if tries >= TRIES:
            publish("dead", whole, properties)
        elif WAY == "memory":
            time.sleep(0.05)  # a pause between two attempts
            channel.basic_nack(method.delivery_tag, requeue=True)
            return
        else:
            again = ENVELOPE + base64.b64encode(whole) if WAY == "wrapped" else whole
            publish("in", again, properties, tries + 1)
    channel.basic_ack(method.delivery_tag)


for name in ("in", "dead"):
    channel.queue_declare(name, durable=True)
channel.basic_qos(prefetch_count=10)
channel.basic_consume("in", handle)
channel.start_consuming()
