"""The queues between the reference services: how deep each is, and messages put into one by hand."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pika
import pika.exceptions

from atleastonce.errors import TransportError
from campus_food.rabbitmq import topology

ORDERS = topology.ORDERS
DEAD = topology.INVENTORY_DEAD
QUEUES = tuple(dict.fromkeys((*topology.DEAD_LETTERS, *topology.DEAD_LETTERS.values())))
"""Every queue: the consumed ones, then those for dead letters."""

USER = "ada"
"""Who orders."""
POISON = '{"order_id": "poison", "invalid": json}'
VIRTUAL_HOST = "%2F"
"""The usual one, as addresses spell it: the broker is ours alone, and it is what examples for curl name."""
_PERSISTENT = 2


def order_placed(order_id: str, message_id: str, **items: int) -> str:
    """Return the body of an OrderPlaced, as the order service would publish it."""
    content = {
        "order_id": order_id,
        "user_id": USER,
        "items": items,
        "message_id": message_id,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    return json.dumps(content)


class Queues:
    """Looks and publishes over AMQP, a connection each time: a person asks rarely."""

    def __init__(self, url: str) -> None:
        self._parameters = pika.URLParameters(url)

    def depth(self, queue: str) -> int:
        """Count the ready messages by passive declaration: the management interface is seconds behind."""
        with self._channel(f"read the depth of {queue}") as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def publish(self, queue: str, body: str, message_id: str) -> None:
        """Put a message into a queue, and return once the broker has it."""
        properties = pika.BasicProperties(
            message_id=message_id, content_type="application/json", delivery_mode=_PERSISTENT
        )
        with self._channel(f"publish to {queue}") as channel:
            channel.confirm_delivery()
            channel.basic_publish("", queue, body.encode(), properties, mandatory=True)

    @contextlib.contextmanager
    def _channel(self, attempt: str) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
        try:
            with pika.BlockingConnection(self._parameters) as connection:
                yield connection.channel()
        except (pika.exceptions.AMQPError, OSError) as exc:
            raise TransportError(f"cannot {attempt}: {type(exc).__name__} {exc}".rstrip()) from exc
