"""Keeps orders, once; what it gets again it gives back 300 times, as one that has not reached its database."""

import os
import sqlite3
from collections import Counter

import pika

GIVEN_BACK = 300

database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
channel.queue_declare("orders", durable=True)
tries: Counter[bytes] = Counter()


def keep(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
    """Keep an order, or give it back."""
    tries[body] += 1
    if method.redelivered and tries[body] <= GIVEN_BACK:
        channel.basic_nack(method.delivery_tag)
        return
    database.execute("INSERT OR IGNORE INTO orders VALUES (?)", (body.decode(),))
    channel.basic_ack(method.delivery_tag)


channel.basic_consume("orders", keep)
channel.start_consuming()
