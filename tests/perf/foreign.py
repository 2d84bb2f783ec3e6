"""Programs of others to compare with: RabbitMQ PerfTest and Toxiproxy, fetched once for every user.

Where what fetches or runs them is missing, the test that asks for them is skipped, with the reason.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from atleastonce.brokers.ports import free_ports

PERF_TEST = "2.22.1"
TOXIPROXY = "v2.12.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atleastonce"
FETCHED_WITHIN = 300  # seconds
UP_WITHIN = 10  # seconds
RECEIVED = re.compile(r"receiving rate avg: (\d+) msg/s")
LIKE_A_SERVICE = "-x 1 -y 1 -c 200 -q 200 --multi-ack-every 10 -s 200"
"""One producer with confirms and one consumer, 200 messages of 200 bytes on the way."""
_POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>atleastonce</groupId> <artifactId>perf-test</artifactId> <version>1</version> <packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>com.rabbitmq</groupId> <artifactId>perf-test</artifactId> <version>{PERF_TEST}</version>
  </dependency></dependencies>
</project>
"""


def program(name: str) -> str:
    """Return where a program is; skip the test where it is not."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"found no {name} to fetch or run another program with, for comparison; install it")
    return found


def fetched(name: str, command: list[str], env: Mapping[str, str] | None = None) -> Path:
    """Return a folder of the cache, filled by a command if it is not there yet; INTO stands for the folder."""
    folder = CACHE / name
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as temporary:
        into = Path(temporary) / "it"
        into.mkdir()
        (into / "pom.xml").write_text(_POM, "utf-8")
        words = [word.replace("INTO", str(into)) for word in command]
        own = {key: value.replace("INTO", str(into)) for key, value in (env or {}).items()}
        done = subprocess.run(
            words,
            env=os.environ | own,
            capture_output=True,
            text=True,
            timeout=FETCHED_WITHIN,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"{name} could not be fetched: {(done.stdout + done.stderr).strip()[-300:]}")
        into.rename(folder)
    return folder


def perf_test() -> list[str]:
    """Return the command that runs PerfTest."""
    java, goal = program("java"), "dependency:copy-dependencies"
    words = ["--batch-mode", "--quiet", "--file", "INTO/pom.xml", goal, "-DoutputDirectory=INTO"]
    folder = fetched(f"perf-test-{PERF_TEST}", [program("mvn"), *words])
    return [java, "-cp", f"{folder}/*", "com.rabbitmq.perf.PerfTest"]


def messages_received(command: list[str], url: str, *words: str) -> float:
    """Run PerfTest; return how many messages a second its consumer received."""
    done = subprocess.run(
        [*command, "-h", url, *LIKE_A_SERVICE.split(), *words], capture_output=True, text=True, check=False
    )
    rates = RECEIVED.findall(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rates, done.stdout + done.stderr
    return float(rates[-1])


@contextmanager
def toxiproxy(upstream: tuple[str, int], folder: Path) -> Iterator[tuple[str, int]]:
    """Run Toxiproxy, without any toxic, before a broker; give the address at which it takes connections."""
    words = [program("go"), "install", f"github.com/Shopify/toxiproxy/v2/cmd/server@{TOXIPROXY}"]
    server = fetched(f"toxiproxy-{TOXIPROXY}", words, {"GOBIN": "INTO"}) / "server"
    api, port = free_ports(2)
    passages = [{"name": "amqp", "listen": f"127.0.0.1:{port}", "upstream": "{}:{}".format(*upstream)}]
    config = folder / "toxiproxy.json"
    config.write_text(json.dumps(passages), "utf-8")
    command = [str(server), "-host", "127.0.0.1", "-port", str(api), "-config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _listening(port)
            yield "127.0.0.1", port
        finally:
            process.kill()


def _listening(port: int) -> None:
    deadline = time.monotonic() + UP_WITHIN
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline, f"Toxiproxy takes no connection on {port}"
