"""Takes orders in AMQP transactions: the receipt and the acknowledgement count together, once committed.

An order is written down before that, or, with `WRITES=behind`, once the broker has it: then a crash between loses it.
"""

import json
import os
import sqlite3

import pika

WRITES = os.environ["WRITES"]


def main() -> None:
    """Take orders, for ever."""
    database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    for name in ("orders", "receipts"):
        channel.queue_declare(name, durable=True)
    channel.tx_select()

    def take(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
        order = json.loads(body)["id"]
        write = ("INSERT OR IGNORE INTO orders VALUES (?)", (order,))
        if WRITES == "before":
            database.execute(*write)
        properties = pika.BasicProperties(message_id=order, delivery_mode=pika.DeliveryMode.Persistent)
        channel.basic_publish("", "receipts", json.dumps({"receipt": order}), properties)
        channel.basic_ack(method.delivery_tag)
        channel.tx_commit()
        if WRITES == "behind":
            database.execute(*write)

    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("orders", take)
    channel.start_consuming()


main()
