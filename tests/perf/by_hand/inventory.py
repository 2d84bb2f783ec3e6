"""What both ways of writing the checks by hand have in common: the inventory as a process, and what one sends to it.

Not ours: nothing here uses atleastonce. Numbers are what one would begin with.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pika
import urllib3

ORDERS, RESERVED, DEAD = "inventory_order_placed", "notification_inventory_reserved", "inventory_dlq"
STOCK = 1000
PATIENCE = 30.0  # seconds


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], Any], pause: float) -> None:
    """Look again and again, with a pause between."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "waited for too long"
        time.sleep(pause)


class Inventory:
    """The service; a restart finds the database that it left."""

    def __init__(self, amqp_url: str, folder: Path, pause: float) -> None:
        self.port, self.pause = free_port(), pause
        self._log = folder / "inventory.log"
        self._env = {
            **os.environ,
            "AMQP_URL": amqp_url,
            "DATABASE_URL": f"sqlite:///{folder}/inventory.db",
            "PORT": str(self.port),
            "OPENING_STOCK": f"burger={STOCK}",
        }

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "campus_food.rabbitmq.inventory"]
            self._process = subprocess.Popen(command, env=self._env, stderr=log)
        wait_until(lambda: self.get("/health")[0] == 200, self.pause)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and content; 0 where nobody answers."""
        try:
            answer = urllib3.request("GET", f"http://127.0.0.1:{self.port}{path}", retries=False)
        except urllib3.exceptions.HTTPError:
            return 0, None
        return answer.status, answer.json()

    def stock(self) -> int:
        """Return how many burgers are left."""
        return int(self.get("/stock")[1]["burger"])

    def decided(self, number: int) -> bool:
        """Tell whether an order was reserved."""
        return self.get(f"/reservations/o{number}")[0] == 200


class Broker:
    """A channel to the queues."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def order(self, number: int) -> None:
        """Place an order for one burger."""
        content = {
            "message_id": f"m{number}",
            "order_id": f"o{number}",
            "user_id": "u1",
            "items": {"burger": 1},
        }
        self.send(json.dumps(content).encode(), f"m{number}")

    def send(self, body: bytes, message_id: str) -> None:
        """Send anything."""
        properties = pika.BasicProperties(message_id=message_id, delivery_mode=2)
        self._channel.basic_publish("", ORDERS, body, properties)

    def depth(self, queue: str) -> int:
        """Return how many messages wait."""
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def reserved(self) -> list[str]:
        """Take all outcomes; return the orders that they are of, those with one message id once."""
        found: dict[str, str] = {}
        while True:
            method, properties, body = self._channel.basic_get(RESERVED, auto_ack=True)
            if method is None:
                return sorted(found.values())
            found[properties.message_id] = json.loads(body)["order_id"]
