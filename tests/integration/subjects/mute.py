"""Acknowledges orders for which it could not publish a receipt: it connects again to take orders, not to publish.

With `MENDED=1` it opens both channels anew, and gives back what it could not do.
"""

import json
import os
import sqlite3

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

URL = pika.URLParameters(os.environ["AMQP_URL"])
MENDED = os.environ["MENDED"] == "1"
database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
publishing: list[BlockingChannel] = []


def opened() -> BlockingChannel:
    """Open a channel on a connection of its own."""
    channel = pika.BlockingConnection(URL).channel()
    for name in ("orders", "receipts"):
        channel.queue_declare(name, durable=True)
    return channel


def receipt(order: str) -> None:
    """Publish a receipt, and raise AMQPError where that is not confirmed."""
    if not publishing:
        publishing.append(opened())
        publishing[0].confirm_delivery()
    properties = pika.BasicProperties(message_id=order, delivery_mode=pika.DeliveryMode.Persistent)
    try:
        publishing[0].basic_publish("", "receipts", json.dumps({"receipt": order}), properties)
    except AMQPError:
        if MENDED:
            publishing.clear()
        raise


def take(channel: BlockingChannel, method: pika.spec.Basic.Deliver, _: object, body: bytes) -> None:
    """Publish the receipt of an order, each once under its id, and acknowledge."""
    order = json.loads(body)["id"]
    try:
        receipt(order)
    except AMQPError:
        if MENDED:
            channel.basic_nack(method.delivery_tag)
            return
    database.execute("INSERT OR IGNORE INTO orders VALUES (?)", (order,))
    channel.basic_ack(method.delivery_tag)


def main() -> None:
    """Take orders, for ever."""
    database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
    while True:
        try:
            taking = opened()
            taking.basic_consume("orders", take)
            taking.start_consuming()
        except AMQPError:
            continue


main()
