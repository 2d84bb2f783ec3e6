"""Starts the reference services as the plain processes that they are, and waits for what they do."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import pika
import urllib3

from atleastonce.brokers import Broker
from atleastonce.brokers.ports import free_ports
from campus_food.rabbitmq import topology

T = TypeVar("T")

DEADLINE = 60.0  # seconds, for anything that is awaited: above the session time-out of a Kafka group
GLANCE = 0.02  # seconds between two looks

HTTP = urllib3.PoolManager(retries=False, timeout=10)


def until(look: Callable[[], T | None], what: str) -> T:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + DEADLINE
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE} s"
        time.sleep(GLANCE)
    return seen


class Service:
    """One reference service with a database of its own, which outlives its process."""

    def __init__(self, module: str, folder: Path, **env: str) -> None:
        (self.port,) = free_ports(1)
        name = module.rpartition(".")[2]
        self.database = folder / f"{name}.db"
        self.url = f"sqlite:///{self.database}"
        self._command = [sys.executable, "-m", module]
        self._env = {**os.environ, "DATABASE_URL": self.url, "PORT": str(self.port), **env}
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stderr=log)

    def start(self, status: int = 200) -> None:
        """Start the process and wait until it answers that it is healthy, or that it is not."""
        self.launch()
        self.answers(status)

    def answers(self, status: int = 200) -> None:
        """Wait until it answers that it is healthy, or that it is not."""
        until(lambda: self.status() == status, f"health {status} ({self._log.read_text()})")

    def ended(self) -> int:
        """Wait until the process has ended; return its exit code."""
        assert self._process
        return self._process.wait(DEADLINE)

    def kill(self) -> None:
        """End the process as a crash does."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask the process to end; return its exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self.kill()

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and content."""
        answer = HTTP.request("GET", f"http://127.0.0.1:{self.port}{path}")
        return answer.status, answer.json()

    @property
    def address(self) -> str:
        """Where it answers over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, content: Any, key: str = "", path: str = "/order") -> tuple[int, Any]:
        """Order something, as content or as bytes, under a key if one is given; return status and content."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {"Idempotency-Key": key} if key else {}
        answer = HTTP.request("POST", f"{self.address}{path}", body=body, headers=headers)
        return answer.status, answer.json()

    def status(self, path: str = "/health") -> int:
        """Return the status of an address, that of the health if none is named; 0 where nobody answers."""
        try:
            return self.get(path)[0]
        except urllib3.exceptions.HTTPError:
            return 0

    def stock(self, item: str) -> int:
        """Return how many pieces are left."""
        return int(self.get("/stock")[1][item])

    def settled(self, order_id: str) -> str:
        """Wait until the order was decided, by a service that may still be starting; return how."""
        until(lambda: self.status(f"/reservations/{order_id}") == 200, f"order {order_id}")
        return str(self.get(f"/reservations/{order_id}")[1]["status"])

    def logged(self, text: str) -> bool:
        """Tell whether the log says it."""
        return text in self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of the log whose event begins so."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [line for line in lines if line["event"].startswith(event)]


class Queues:
    """The queues of the services on a broker, and a channel with confirms to them."""

    NAMES = (*sorted(set(topology.DEAD_LETTERS.values())), *topology.DEAD_LETTERS)

    def __init__(self, url: str, channel: Any) -> None:
        self.url = url
        self.channel = channel

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator[Self]:
        """Hold a connection for as long as the block lasts."""
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield cls(url, channel)

    @classmethod
    @contextmanager
    def fresh(cls, broker: Broker) -> Iterator[Self]:
        """Hold a connection to a virtual host that has none of the queues: services declare them."""
        with cls.at(f"{broker.url}/%2F") as queues:
            queues.delete()
            yield queues

    def delete(self) -> None:
        """Delete every queue."""
        for queue in self.NAMES:
            self.channel.queue_delete(queue)

    def publish(self, message: dict[str, Any] | bytes, queue: str = topology.ORDERS, **given: Any) -> None:
        """Publish a message, or some bytes, confirmed; `given` are properties."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        if isinstance(message, dict):
            given.setdefault("message_id", message["message_id"])
        properties = pika.BasicProperties(delivery_mode=2, **given)
        self.channel.basic_publish("", queue, body, properties, mandatory=True)

    def take(self, queue: str) -> tuple[Any, bytes]:
        """Wait for a message in a queue and take it: its properties and its body."""

        def look() -> Any:
            found = self.channel.basic_get(queue, auto_ack=True)
            return found if found[0] else None

        found = until(look, f"message in {queue}")
        return found[1], found[2]

    def depth(self, queue: str) -> int:
        """Return how many messages wait."""
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)


class Wire:
    """A way to the broker that can be cut, or fall silent towards the service."""

    def __init__(self, url: str) -> None:
        parameters = pika.URLParameters(url)
        self._broker = (parameters.host, parameters.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = url.replace(f":{parameters.port}/", f":{port}/")
        self.silent = threading.Event()
        self._last_words: bytes | None = None
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection at once."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def silent_after(self, words: bytes) -> None:
        """Fall silent as soon as the service has been told this."""
        self._last_words = words

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # To close it alone would not end the wait for the next connection.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                far = socket.create_connection(self._broker)
                self._open += [near, far]
                for job, ends in ((self._listen, (far, near)), (self._speak, (near, far))):
                    threading.Thread(target=job, args=ends, daemon=True).start()

    def _speak(self, service: socket.socket, broker: socket.socket) -> None:
        with service, suppress(OSError):
            while data := service.recv(65536):
                broker.sendall(data)
            broker.shutdown(socket.SHUT_RDWR)

    def _listen(self, broker: socket.socket, service: socket.socket) -> None:
        with broker, suppress(OSError):
            while data := broker.recv(65536):
                if not self.silent.is_set():
                    service.sendall(data)
                if self._last_words is not None and self._last_words in data:
                    self._last_words = None
                    self.silent.set()
            service.shutdown(socket.SHUT_RDWR)


def order(number: int, **items: int) -> dict[str, Any]:
    """Make order o1, o2, … with message id m1, m2, …."""
    items = items or {"burger": 1}
    return {"message_id": f"m{number}", "order_id": f"o{number}", "user_id": "u1", "items": items}
