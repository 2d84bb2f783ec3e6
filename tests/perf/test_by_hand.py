"""How long a check takes here, and how long when it is written by hand: the usual way, and the competent way."""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from comparing import at_least

from atleastonce.brokers import unavailable
from atleastonce.campaign import Plan
from atleastonce.pytest_plugin import Subject

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
CONTRACT = HERE / "by_hand" / "inventory.toml"
PLAN = Plan(explore=("duplicates", "poison", "crash"))
ROUNDS = 3
LOOPBACK = {
    "TESTCONTAINERS_RYUK_DISABLED": "true",
    "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1",
    "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
}
"""Containers are reached where their ports are published, without the image of the reaper."""


def by_hand(way: str, folder: Path, **env: str) -> float:
    """Run the three checks; return how many a second, without the start of pytest itself."""
    report = folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default"]
    command += [f"--junitxml={report}", str(HERE / "by_hand" / f"{way}.py")]
    env = {**os.environ, **LOOPBACK, **env}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    written = ET.parse(report)  # noqa: S314 - pytest wrote it just now
    cases = [float(case.get("time", 0)) for case in written.iter("testcase")]
    assert len(cases) == 3, cases
    return len(cases) / sum(cases)


def ours(subject: Callable[..., Subject]) -> float:
    """Verify the same service by the same kinds of checks; return schedules a second, clean runs and all."""
    began = time.perf_counter()
    findings = subject(CONTRACT).verify(PLAN).findings
    assert findings.outcome == "kept", findings.tallies
    return findings.carried_out / (time.perf_counter() - began)


def test_against_the_competent_way(subject, rabbitmq, compared, tmp_path):
    """On one broker that runs already."""
    env = {"AMQP_URL": rabbitmq.url, "MANAGEMENT_URL": rabbitmq.management_url}
    pairs = [(ours(subject), by_hand("competent_way", tmp_path, **env)) for _ in range(ROUNDS)]
    compared.pairs("duplicates, poison, crashes", "schedules/s", "the competent way", pairs, at_least(5))


def test_against_the_usual_way(subject, compared, tmp_path):
    """On a broker that runs already, against one for each test."""
    if (why := unavailable("rabbitmq", "docker")) is not None:
        pytest.skip(str(why))
    pairs = [(ours(subject), by_hand("usual_way", tmp_path)) for _ in range(ROUNDS)]
    compared.pairs("duplicates, poison, crashes", "schedules/s", "the usual way", pairs, at_least(20))
