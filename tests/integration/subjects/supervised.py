"""A supervisor, and a worker in a session of its own that takes orders.

With `ACKS=first` an order is acknowledged before it is done; whoever asks it to end gets all done that was begun.
"""

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pika

ACKS_FIRST = os.environ["ACKS"] == "first"
begun: queue.Queue[str] = queue.Queue()


def supervise() -> None:
    """Start the worker, and end it when asked to end."""
    worker = subprocess.Popen([sys.executable, __file__, "work"], start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: worker.terminate())
    sys.exit(worker.wait())


def do(order: str) -> None:
    """Write an order down once, which takes a while."""
    time.sleep(0.05)
    with sqlite3.connect(os.environ["DATABASE"], timeout=10) as database:
        database.execute("INSERT OR IGNORE INTO orders VALUES (?)", (order,))


def work_off() -> None:
    """Do what was begun, for ever."""
    while True:
        do(begun.get())
        begun.task_done()


def work() -> None:
    """Take orders until asked to end."""
    with sqlite3.connect(os.environ["DATABASE"]) as database:
        database.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY)")
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare("orders", durable=True)
    threading.Thread(target=work_off, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())

    def take(_: object, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
        order = json.loads(body)["id"]
        if ACKS_FIRST:
            begun.put(order)
        else:
            do(order)
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=4)
    channel.basic_consume("orders", take)
    try:
        channel.start_consuming()
    finally:
        begun.join()


work() if "work" in sys.argv else supervise()
