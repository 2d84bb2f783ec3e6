"""A correct service with an outbox: it publishes at once, and sweeps up later what it did not get to.

What lies in the outbox for longer than `AFTER` seconds is published by a sweeper that looks twice a second: whoever
took it down is dead by then, and nobody publishes twice what is under way. With `AFTER=never` nothing is swept.
"""

import json
import os
import sqlite3
import threading
import time

import pika

AFTER = os.environ["AFTER"]
LOOK = 0.5


def opened() -> tuple[sqlite3.Connection, pika.adapters.blocking_connection.BlockingChannel]:
    """Connect to the database and to the broker."""
    database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    channel.confirm_delivery()
    return database, channel


def publish(
    database: sqlite3.Connection, channel: pika.adapters.blocking_connection.BlockingChannel, order: str
) -> None:
    """Publish a receipt, and take it out of the outbox once it is confirmed."""
    properties = pika.BasicProperties(message_id=order, delivery_mode=pika.DeliveryMode.Persistent)
    channel.basic_publish("", "receipts", json.dumps({"receipt": order}), properties, mandatory=True)
    database.execute("DELETE FROM outbox WHERE id = ?", (order,))


def sweep() -> None:
    """Publish what nobody got to."""
    database, channel = opened()
    while True:
        channel.connection.sleep(LOOK)
        before = time.time() - float(AFTER)
        for (order,) in database.execute("SELECT id FROM outbox WHERE since < ?", (before,)).fetchall():
            publish(database, channel, order)


def main() -> None:
    """Take each order down once, with its receipt; publish that, and acknowledge."""
    database, channel = opened()
    database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, since REAL)")
    for name in ("orders", "receipts"):
        channel.queue_declare(name, durable=True)
    if AFTER != "never":
        threading.Thread(target=sweep, daemon=True).start()

    def take(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
        order = json.loads(body)["id"]
        database.execute("BEGIN IMMEDIATE")
        is_new = database.execute("INSERT OR IGNORE INTO orders VALUES (?)", (order,)).rowcount
        if is_new:
            database.execute("INSERT INTO outbox VALUES (?, ?)", (order, time.time()))
        database.execute("COMMIT")
        if is_new:
            publish(database, channel, order)
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=10)
    channel.basic_consume("orders", take)
    channel.start_consuming()


main()
