"""Adds up orders in a database, and shows nothing: it is observed by queries, and by a command (`till.py show ID`).

With CAREFUL=no every copy of an order is counted.
"""

import json
import os
import sqlite3
import sys

import pika

TABLES = """
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, total INTEGER);
CREATE TABLE IF NOT EXISTS till (name TEXT PRIMARY KEY, total INTEGER);
CREATE TABLE IF NOT EXISTS sold (dish TEXT PRIMARY KEY, times INTEGER);
CREATE TABLE IF NOT EXISTS refused (id TEXT);
INSERT OR IGNORE INTO till VALUES ('sum', 0);
"""


def show(path: str, order: str) -> None:
    """Print an order as JSON; nothing where there is none."""
    for row in sqlite3.connect(path).execute("SELECT total FROM orders WHERE id = ?", (order,)):
        print(json.dumps({"total": row[0]}))  # noqa: T201 - what it is asked for


def consume(path: str) -> None:
    """Count each order once, in one transaction, and acknowledge it behind that."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(TABLES)
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    channel.queue_declare("in", durable=True)
    for method, _, body in channel.consume("in"):
        order = json.loads(body)
        database.execute("BEGIN IMMEDIATE")
        new = database.execute("INSERT OR IGNORE INTO orders VALUES (?, 3)", (order["id"],)).rowcount
        if new or os.environ["CAREFUL"] == "no":
            database.execute("UPDATE till SET total = total + 3")
            database.execute(
                "INSERT INTO sold VALUES ('soup', 1) ON CONFLICT (dish) DO UPDATE SET times = times + 1"
            )
        database.execute("COMMIT")
        channel.basic_ack(method.delivery_tag)


if len(sys.argv) > 1:
    show(*sys.argv[2:])
else:
    consume(os.environ["DATABASE"])
