"""Writes parcels down; what fails is tried three times, with a delay in a queue that somebody else has declared.

`WAY` is how a parcel gets there: `exchange` publishes it again, through an exchange; `message` does, and gives it its
time to live; `nack` leaves it to the broker. `lost` is wrong: it publishes where nothing is bound.
"""

import os
import sqlite3

import pika

WAY = os.environ["WAY"]
TRIES = 3


def tries(props: pika.BasicProperties) -> int:
    """Return how often a parcel was tried before."""
    headers = props.headers or {}
    died = sum(int(each["count"]) for each in headers.get("x-death", ()) if each["queue"] == "parcels")
    return died if WAY == "nack" else int(headers.get("x-tries", 0))


def consume(path: str) -> None:
    """Write each parcel down once, and acknowledge it behind that."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS parcels (id TEXT PRIMARY KEY)")
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    channel.confirm_delivery()

    def take(_: object, method: pika.spec.Basic.Deliver, props: pika.BasicProperties, body: bytes) -> None:
        number, _, content = body.decode().partition(";")
        if content:
            database.execute("INSERT OR IGNORE INTO parcels VALUES (?)", (number,))
        elif (again := tries(props) + 1) >= TRIES:
            channel.basic_publish("", "parcels.dead", body, props)
        elif WAY == "nack":
            channel.basic_nack(method.delivery_tag, requeue=False)
            return
        else:
            later = pika.BasicProperties(
                headers={**(props.headers or {}), "x-tries": again},
                expiration="1500" if WAY == "message" else None,
            )
            channel.basic_publish("later", "nowhere" if WAY == "lost" else "parcels", body, later)
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume("parcels", take)
    channel.start_consuming()


consume(os.environ["DATABASE"])
