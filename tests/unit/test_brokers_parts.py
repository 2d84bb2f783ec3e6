"""The small parts of which starting a broker consists."""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atleastonce.brokers import kafka_handshake, rabbitmq_handshake
from atleastonce.brokers.native_rabbitmq import _clean, _with_few_plugins
from atleastonce.brokers.ports import free_ports
from atleastonce.brokers.settings import lines, open_files
from atleastonce.errors import TransportError


def test_ports_are_free_different_and_not_given_twice() -> None:
    """Two brokers that start side by side never get the same port."""
    first, second = free_ports(3), free_ports(3)
    assert len({*first, *second}) == 6
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", first[0]))


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    """While a broker is down, no client's own port may take its place."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < lowest or lowest < 12_000 for port in free_ports(5))


def test_two_runs_are_not_given_the_same_ports() -> None:
    """Not even one after the other: the service that had a port may be down for a moment."""
    code = "from atleastonce.brokers.ports import free_ports; print(*free_ports(300))"
    ours = free_ports(300)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    theirs = [int(port) for port in found.stdout.split()]
    assert len({*ours, *theirs}) == 600


def test_settings_are_written_as_both_brokers_read_them() -> None:
    """One key and one value a line."""
    assert lines({"a.b": "1", "c": "x"}) == "a.b = 1\nc = x\n"


def test_open_files_are_limited() -> None:
    """RabbitMQ burns processor time at the start where there is no limit."""
    assert 0 < open_files() <= 65_536


def test_the_shell_of_the_caller_says_nothing_to_our_node() -> None:
    """Variables meant for another node are left out, ours and everybody else's stay."""
    given = {"RABBITMQ_NODENAME": "ours", "RABBITMQ_USE_LONGNAME": "true", "ERL_FLAGS": "-x", "PATH": "/bin"}
    assert _clean(given) == {"RABBITMQ_NODENAME": "ours", "PATH": "/bin"}


def test_only_the_plugins_of_the_http_api_are_linked(tmp_path: Path) -> None:
    """Libraries stay, for any of them may be needed; plugins nobody asked for do not."""
    names = [
        "cowboy-2.8",
        "rabbit-3.10",
        "rabbitmq_management-3.10",
        "rabbitmq_management_agent-3.10",
        "rabbitmq_mqtt-3.10",
    ]
    for name in names:
        (tmp_path / "release/plugins" / name).mkdir(parents=True)
    (tmp_path / "release/sbin").mkdir()
    linked = _with_few_plugins(tmp_path / "release", tmp_path / "linked")
    assert sorted(path.name for path in (linked / "plugins").iterdir()) == names[:-1]
    assert (linked / "sbin").is_dir()


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Be a server of one connection that answers what it reads, and give its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            link = server.accept()[0]
            with link:
                while data := link.recv(4096):
                    link.sendall(answer(data))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_a_kafka_without_brokers_is_not_ready() -> None:
    """The port listens before the broker has joined its own cluster."""
    with (
        answering(lambda _: struct.pack(">iii", 8, 1, 0)) as port,
        pytest.raises(TransportError, match="none has joined"),
    ):
        kafka_handshake.brokers("127.0.0.1", port)


def test_bytes_that_are_not_kafka_are_told() -> None:
    """An answer too short to be one is an error of ours, not one of `struct`."""
    with (
        answering(lambda _: struct.pack(">ii", 4, 1)) as port,
        pytest.raises(TransportError, match="too short"),
    ):
        kafka_handshake.brokers("127.0.0.1", port)


def test_a_server_that_is_no_rabbitmq_is_told() -> None:
    """A broker of another protocol version answers with its own header."""
    with (
        answering(lambda _: b"AMQP\x00\x01\x00\x00") as port,
        pytest.raises(TransportError, match=r"awaited Connection\.Start"),
    ):
        rabbitmq_handshake.version("127.0.0.1", port, "guest", "guest")
