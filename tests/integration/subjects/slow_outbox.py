"""A correct service whose output follows the acknowledgement: an outbox with a slow relay of its own.

Takes each order into a file, acknowledges, and publishes later, from a thread that first burns processor time.
"""

import json
import os
import queue
import threading
import time
from pathlib import Path
from typing import Any

import pika

BURNS = 0.05  # seconds of processor time per output
outbox = Path(os.environ["DATA"]) / "outbox"
waiting: "queue.Queue[dict[str, Any]]" = queue.Queue()


def publish() -> None:
    """Publish what was taken, in order, each under its own id."""
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.confirm_delivery()
    while True:
        order = waiting.get()
        began = time.thread_time()
        while time.thread_time() - began < BURNS:
            pass
        channel.basic_publish("", "out", json.dumps(order), pika.BasicProperties(message_id=order["id"]))


def main() -> None:
    """Consume; what the file holds from an earlier life is published first."""
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    for name in ("in", "out"):
        channel.queue_declare(name, durable=True)
    if outbox.exists():
        for line in outbox.read_text().splitlines():
            waiting.put(json.loads(line))
    threading.Thread(target=publish, daemon=True).start()
    with outbox.open("a") as file:
        for method, _, body in channel.consume("in"):
            order = json.loads(body)
            file.write(json.dumps(order) + "\n")
            file.flush()
            os.fsync(file.fileno())
            waiting.put(order)
            channel.basic_ack(method.delivery_tag)


main()
