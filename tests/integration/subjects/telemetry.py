"""Keeps readings, each once, and consumes again once its link was cut; what was on that link is gone.

``auto``: from a queue that stays, without acknowledgements. ``own``: from a queue that ends with its connection.
"""

import os
import sqlite3
import sys

import pika
import pika.exceptions

database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
database.execute("CREATE TABLE IF NOT EXISTS readings (id TEXT PRIMARY KEY)")


def keep(channel: pika.channel.Channel, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
    """Keep a reading."""
    database.execute("INSERT OR IGNORE INTO readings VALUES (?)", (body.decode(),))
    if sys.argv[1] == "own":
        channel.basic_ack(method.delivery_tag)


def consume() -> None:
    """Subscribe, and consume for as long as the link lives."""
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    channel.exchange_declare("readings", "fanout", durable=True)
    if sys.argv[1] == "own":
        queue = channel.queue_declare("", exclusive=True).method.queue
    else:
        queue = channel.queue_declare("readings", durable=True).method.queue
    channel.queue_bind(queue, "readings")
    channel.basic_consume(queue, keep, auto_ack=sys.argv[1] == "auto")
    channel.start_consuming()


while True:
    try:
        consume()
    except (pika.exceptions.AMQPError, OSError):
        continue
