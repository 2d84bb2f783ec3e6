"""RabbitMQ as a process of our own, from the programs that the distribution's package has installed.

It shares nothing with a node that may be running already: node name, port mapper (epmd), cookie,
configuration, data and log are its own, and it listens on the loopback address only. It runs as whoever
calls, root or not.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from atleastonce.brokers.broker import LOOPBACK
from atleastonce.brokers.native import NativeBroker
from atleastonce.brokers.ports import free_ports
from atleastonce.brokers.settings import RABBITMQ, lines, recorded_rabbitmq
from atleastonce.errors import BrokerError, BrokerUnavailable
from atleastonce.lifetimes import Lifetime

INSTALL = "apt-get install --no-install-recommends rabbitmq-server"

# Debian keeps them out of the search path of ordinary users
_ELSEWHERE = "/usr/lib/rabbitmq/bin:/usr/sbin:/usr/local/sbin:/opt/rabbitmq/sbin"
_MANAGEMENT = "rabbitmq_management"
# the plugins, among those called rabbitmq_*, that the broker and its HTTP API consist of
_PARTS = ("rabbitmq_prelaunch", _MANAGEMENT, "rabbitmq_web_dispatch", "rabbitmq_stream_common")


def home() -> Path:
    """Return where the release is installed; raise BrokerUnavailable, naming the command, if it is not."""
    places = os.pathsep.join([os.environ.get("PATH", ""), _ELSEWHERE])
    # Debian's `rabbitmq-server` in /usr/sbin is a wrapper that changes the user; the real one has `plugins`
    for place in places.split(os.pathsep):
        release = (Path(place) / "rabbitmq-server").resolve().parent.parent
        with contextlib.suppress(PermissionError):  # a search path may well name what is not ours to read
            if (release / "plugins").is_dir() and (release / "sbin" / "rabbitmq-server").exists():
                return release
    raise BrokerUnavailable(f"looked for a native RabbitMQ: found none; install it with `{INSTALL}`")


def check() -> None:
    """Raise BrokerUnavailable if this machine lacks a program that `open_native_rabbitmq` needs."""
    home()
    if shutil.which("epmd") is None:
        raise BrokerUnavailable(
            f"looked for a native RabbitMQ: found no epmd in PATH; install it with `{INSTALL}`"
        )


@contextlib.contextmanager
def open_native_rabbitmq(lifetime: Lifetime) -> Iterator[NativeBroker]:
    """Start a node of our own; it is killed, and its data forgotten, at the end.

    Raises BrokerUnavailable without the programs, BrokerError if the node does not start. Costs four seconds.
    """
    check()
    amqp, management, distribution, mapper = free_ports(4)
    directory = lifetime.directory(f"rabbitmq-{amqp}")
    release = _with_few_plugins(home(), directory / "release")
    environment = _clean(lifetime.environment(_variables(release, directory, distribution, mapper)))
    _configure(directory, amqp, management)
    broker = NativeBroker(
        kind="rabbitmq",
        provider="native",
        port=amqp,
        management_port=management,
        settings={**recorded_rabbitmq(), "provider": "native"},
        command=[str(release / "sbin" / "rabbitmq-server")],
        environment=environment,
        directory=directory,
        # 3.10 has closed its connections and stores after 0.1 s, then waits 6 s for a part that is stuck
        stops_within=3.0,
    )
    with _port_mapper(mapper, environment):
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()


def _with_few_plugins(release: Path, where: Path) -> Path:
    """Make a release of links that leaves out the plugins nobody asked for.

    The node looks through all plugins, and asks every one for its feature flags: leaving them out takes the
    start from 6.5 s to 3.9 s.
    """
    plugins = where / "plugins"
    plugins.mkdir(parents=True)
    for entry in release.iterdir():
        if entry.name != plugins.name:
            (where / entry.name).symlink_to(entry)
    for entry in (release / plugins.name).iterdir():
        if not entry.name.startswith("rabbitmq_") or entry.name.startswith(_PARTS):
            (plugins / entry.name).symlink_to(entry)
    return where


def _configure(directory: Path, amqp: int, management: int) -> None:
    (directory / "conf.d").mkdir()
    (directory / "data").mkdir()
    (directory / "rabbitmq.conf").write_text(
        lines(
            {
                "listeners.tcp.1": f"{LOOPBACK}:{amqp}",
                "management.tcp.ip": LOOPBACK,
                "management.tcp.port": str(management),
                **RABBITMQ,
            }
        )
    )
    (directory / "enabled_plugins").write_text(f"[{_MANAGEMENT}].\n")
    cookie = directory / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)


def _variables(release: Path, directory: Path, distribution: int, mapper: int) -> dict[str, str]:
    return {
        "HOME": str(directory),  # where Erlang looks for the cookie
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": str(mapper),
        "ERL_CRASH_DUMP": os.devnull,
        "RABBITMQ_SCRIPTS_DIR": str(release / "sbin"),
        "RABBITMQ_PLUGINS_DIR": str(release / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(directory / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
        "RABBITMQ_SCHEMA_DIR": str(directory / "schema"),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_LOGS": "-",  # to standard output, where the story of a failed start is looked for
        "RABBITMQ_NODENAME": f"atleastonce-{distribution}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
        ),
    }


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what the caller's shell says to other nodes."""
    ours = set(_variables(Path(), Path(), 0, 0))
    foreign = ("RABBITMQ_", "ERL_")
    return {
        name: value for name, value in environment.items() if name in ours or not name.startswith(foreign)
    }


@contextlib.contextmanager
def _port_mapper(port: int, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a port mapper for our node alone; left to itself, Erlang would start one that outlives us."""
    process = subprocess.Popen(
        ["epmd", "-address", LOOPBACK, "-port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 10
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BrokerError(
                    f"started epmd at {LOOPBACK}:{port}: it does not listen; is the port taken?"
                )
            time.sleep(0.01)
        yield
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
