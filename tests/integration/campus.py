"""Starts the reference services as the plain processes that they are, and waits for what they do."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import urllib3

T = TypeVar("T")

DEADLINE = 60.0  # seconds, for anything that is awaited: above the session time-out of a Kafka group
GLANCE = 0.02  # seconds between two looks

HTTP = urllib3.PoolManager(retries=False, timeout=5)


def until(look: Callable[[], T], what: str) -> T:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + DEADLINE
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE} s"
        time.sleep(GLANCE)
    return seen


class Service:
    """One reference service with a database of its own, which outlives its process."""

    def __init__(self, module: str, folder: Path, **env: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.database = folder / "inventory.db"
        self.url = f"sqlite:///{self.database}"
        self._command = [sys.executable, "-m", module]
        self._env = {**os.environ, "DATABASE_URL": self.url, "PORT": str(self.port), **env}
        self._log = folder / "service.log"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stderr=log)

    def start(self, status: int = 200) -> None:
        """Start the process and wait until it answers that it is healthy, or that it is not."""
        self.launch()
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

    def status(self) -> int:
        """Return the status of the health address; 0 where nobody answers."""
        try:
            return self.get("/health")[0]
        except urllib3.exceptions.HTTPError:
            return 0

    def stock(self, item: str) -> int:
        """Return how many pieces are left."""
        return int(self.get("/stock")[1][item])

    def settled(self, order_id: str) -> str:
        """Wait until the order was decided; return how."""
        until(lambda: self.get(f"/reservations/{order_id}")[0] == 200, f"order {order_id}")
        return str(self.get(f"/reservations/{order_id}")[1]["status"])

    def logged(self, text: str) -> bool:
        """Tell whether the log says it."""
        return text in self._log.read_text()


def order(number: int, **items: int) -> dict[str, Any]:
    """Make order o1, o2, … with message id m1, m2, …."""
    items = items or {"burger": 1}
    return {"message_id": f"m{number}", "order_id": f"o{number}", "user_id": "u1", "items": items}
