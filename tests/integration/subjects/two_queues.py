"""Keeps a ledger and an audit of orders: one exchange puts each message into two queues, which it consumes.

A message is a line, ``ID;item;amount``. What is none is tried six times in each queue, and set aside by the broker.
"""

import os
import sqlite3
import uuid

import pika

ASIDE = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 5,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "dead",
}
TABLES = """
CREATE TABLE IF NOT EXISTS ledger (id TEXT PRIMARY KEY, item TEXT, amount INTEGER);
CREATE TABLE IF NOT EXISTS audit (id TEXT PRIMARY KEY, item TEXT, amount INTEGER);
"""


def order(body: bytes) -> tuple[str, str, int]:
    """Read a line; raise ValueError where it is none."""
    number, item, amount = body.decode().split(";")
    return str(uuid.UUID(number)), item, int(amount)


def consume(path: str) -> None:
    """Write each order down once in each table, and acknowledge it behind that."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(TABLES)
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    channel.exchange_declare("orders", "topic", durable=True)
    channel.queue_declare("dead", durable=True)

    def write(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
        try:
            row = order(body)
        except ValueError:
            channel.basic_nack(method.delivery_tag)
        else:
            database.execute(f"INSERT OR IGNORE INTO {method.consumer_tag} VALUES (?, ?, ?)", row)  # noqa: S608 - ours
            channel.basic_ack(method.delivery_tag)

    for queue in ("ledger", "audit"):
        channel.queue_declare(queue, durable=True, arguments=ASIDE)
        channel.queue_bind(queue, "orders", "order.*")
        channel.basic_consume(queue, write, consumer_tag=queue)
    channel.start_consuming()


consume(os.environ["DATABASE"])
