"""A service with an outbox that acknowledges before it sends: as it starts, it sends what may not have gone out.

The message id is that of the order, however often it is sent. `ID=none` leaves it out, so that nobody can tell.
"""

import json
import os
import sqlite3

import pika

database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
database.execute("CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY)")
channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
channel.confirm_delivery()
for name in ("orders", "receipts"):
    channel.queue_declare(name, durable=True)


def send(order: str) -> None:
    """Publish a receipt, and take it out of the outbox once it is confirmed."""
    number = None if os.environ["ID"] == "none" else order
    properties = pika.BasicProperties(message_id=number, delivery_mode=pika.DeliveryMode.Persistent)
    channel.basic_publish("", "receipts", json.dumps({"receipt": order}), properties, mandatory=True)
    database.execute("DELETE FROM outbox WHERE id = ?", (order,))


def take(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
    """Take an order down once with its receipt, acknowledge it, and send that."""
    order = json.loads(body)["id"]
    database.execute("BEGIN IMMEDIATE")
    is_new = database.execute("INSERT OR IGNORE INTO orders VALUES (?)", (order,)).rowcount
    if is_new:
        database.execute("INSERT INTO outbox VALUES (?)", (order,))
    database.execute("COMMIT")
    channel.basic_ack(method.delivery_tag)
    if is_new:
        send(order)


for (left,) in database.execute("SELECT id FROM outbox").fetchall():
    send(left)
channel.basic_consume("orders", take)
channel.start_consuming()
