"""The canary: a process of our own that sends a message through the same broker and receives it.

Where there is no broker, it asks itself something over HTTP, as the services ask each other.

A deadline that passes accuses a service only if the canary, started beside it on the same machine, kept its
time: on a machine starved of processor time it is late too, and the verdict is unknown (DESIGN section 4, rule
7). It is a whole process, because a busy machine delays the start of programs long before it delays a message.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from atleastonce.errors import BrokerError
from atleastonce.transports import http, kafka, rabbitmq

ALLOWED = 3.0
"""How many times longer than on the calm machine it may take,"""
GRACE = 0.5
"""and how many seconds more."""


def command(kind: str, *address: str) -> tuple[str, ...]:
    """Return the command that runs the canary against a broker: a URL, or bootstrap and topic; over HTTP, nothing."""
    return (sys.executable, "-m", "atleastonce.canary", kind, *address)


def measure(words: Sequence[str], environment: Mapping[str, str], within: float) -> float | None:
    """Run the canary and return the seconds it took, or None where it was not back in time, or failed."""
    began = time.monotonic()
    try:
        done = subprocess.run(words, capture_output=True, timeout=within, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return None
    return time.monotonic() - began if done.returncode == 0 else None


def main(kind: str, *address: str) -> None:
    """Send one message through the broker and receive it; raise SystemExit where that fails."""
    echoes: dict[str, Callable[..., None]] = {
        "rabbitmq": rabbitmq.echo,
        "kafka": kafka.echo,
        "http": http.echo,
    }
    try:
        echoes[kind](*address)
    except BrokerError as exc:
        raise SystemExit(str(exc)) from exc


if __name__ == "__main__":
    main(*sys.argv[1:])
