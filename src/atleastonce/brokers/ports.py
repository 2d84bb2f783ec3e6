"""Free ports that stay ours while what listens on them restarts: a broker, or a service."""

import random
import socket
import threading
from collections import deque
from pathlib import Path

from atleastonce.brokers.broker import LOOPBACK
from atleastonce.errors import BrokerError

_LOWEST = 10_000
_ROOM = 2_000  # ports: fewer candidates than this would make concurrent runs collide
# The latest by this process: what starts side by side must not get the same; in a long run they come round again.
_GIVEN: deque[int] = deque(maxlen=1_000)
_LOCK = threading.Lock()
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return different ports of the loopback address on which nothing listens now.

    They lie below the range from which the kernel takes the ports of outgoing connections: otherwise, while
    it is down, the port of a retrying client could be the very one that it needs to come back.
    Another program may still take one before we do; what was to listen there then fails to start and says so.
    """
    found: list[int] = []
    with _LOCK:
        candidates = [*{*_candidates()} - {*_GIVEN}]
        random.shuffle(candidates)
        for port in candidates:
            if len(found) == count:
                break
            if _is_free(port):
                found.append(port)
        _GIVEN.extend(found)
    if len(found) < count:
        raise BrokerError(
            f"looked for {count} free ports on {LOOPBACK}: found {len(found)}; stop what uses them"
        )
    return found


def _candidates() -> range:
    highest = 32_768
    if _RANGE.exists():
        highest = int(_RANGE.read_text().split()[0])
    return range(_LOWEST, highest) if highest - _LOWEST >= _ROOM else range(_LOWEST, 65_536)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as brokers do: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
