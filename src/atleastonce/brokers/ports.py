"""Free ports that stay ours while what listens on them restarts: a broker, or a service."""

import atexit
import random
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from atleastonce.brokers.broker import LOOPBACK
from atleastonce.errors import BrokerError

_LOWEST = 10_000
_ROOM = 2_000  # ports: fewer candidates than this would make concurrent runs collide
_BLOCK = 100  # ports
# The latest of this process: what starts side by side must not get the same; in a long run they come round again.
_CLAIMS: deque[socket.socket] = deque()
_MOST_CLAIMS = 10
_LEFT: list[int] = []
_LOCK = threading.Lock()
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Return different ports of the loopback address on which nothing listens now.

    They lie below the range from which the kernel takes the ports of outgoing connections: otherwise, while
    it is down, the port of a retrying client could be the very one that it needs to come back. No other run on this
    machine is given them meanwhile, where the kernel can tell (Linux).
    Another program may still take one before we do; what was to listen there then fails to start and says so.
    """
    found: list[int] = []
    with _LOCK:
        blocks = _claimed()
        while len(found) < count:
            if not _LEFT:
                _LEFT.extend(next(blocks, ()))
            if not _LEFT:
                raise BrokerError(
                    f"looked for {count} free ports on {LOOPBACK}: found {len(found)}; stop what uses them"
                )
            port = _LEFT.pop()
            if is_free(port):
                found.append(port)
    return found


def is_free(port: int) -> bool:
    """Tell whether nothing listens on a port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as brokers do: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _claimed() -> Iterator[list[int]]:
    """Claim block after block of ports that no other run has, each once, and yield them in no order."""
    highest = 32_768
    if _RANGE.exists():
        highest = int(_RANGE.read_text().split()[0])
    if highest - _LOWEST < _ROOM:
        highest = 65_536
    firsts = [*range(_LOWEST, highest - _BLOCK + 1, _BLOCK)]
    for first in random.sample(firsts, len(firsts)):
        claim = _claim(first)
        if claim is not None:
            _CLAIMS.append(claim)
            if len(_CLAIMS) > _MOST_CLAIMS:
                _CLAIMS.popleft().close()
            yield random.sample(range(first, first + _BLOCK), _BLOCK)


@atexit.register
def _release() -> None:
    """Close every claim; a test run would complain of what is left open."""
    while _CLAIMS:
        _CLAIMS.pop().close()


def _claim(first: int) -> socket.socket | None:
    """Take a name that one process at a time can have; None where it is taken. The kernel frees it with its owner.

    Elsewhere than on Linux there are no such names: nothing but chance keeps two runs apart.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if sys.platform == "linux":
        try:
            claim.bind(f"\0atleastonce-ports-{first}")
        except OSError:
            claim.close()
            return None
    return claim
