"""Whatever a run has started is gone soon after the run, however that ended."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from atleastonce import watchdog
from atleastonce.brokers import Kind, ProviderName, unavailable
from atleastonce.lifetimes import LABEL, Lifetime

WITHIN = 10.0  # seconds: the promise of the design

PARENT = """
import os, subprocess, sys, time
from contextlib import ExitStack
from atleastonce.brokers import open_broker
from atleastonce.lifetimes import Lifetime

with ExitStack() as stack:
    lifetime = stack.enter_context(Lifetime())
    print(lifetime.token, lifetime.root, flush=True)
    {body}
    print("started", flush=True)
    time.sleep(600)
"""
GRANDCHILD = """
    child = "import subprocess, time; subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", child], env=lifetime.environment())
    while len(__import__("atleastonce.watchdog").watchdog.processes(lifetime.token)) < 2: time.sleep(0.01)
"""


def killed(body: str, number: signal.Signals = signal.SIGKILL) -> tuple[str, Path]:
    """Run the parent until it has started everything, end it by a signal, and return its token and directory."""
    program = PARENT.format(body=body.strip())
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        token, root = parent.stdout.readline().split()
        assert Path(root).is_dir()
        assert parent.stdout.readline() == "started\n"
        assert watchdog.processes(token) or "docker" in body
        parent.send_signal(number)
    return token, Path(root)


def becomes_true(fact: Callable[[], bool]) -> bool:
    """Tell whether something comes true within the time that the design promises."""
    deadline = time.monotonic() + WITHIN
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_grandchild_in_another_session_dies_with_us(number: signal.Signals) -> None:
    """Neither a new session nor a parent in between saves a process that carries the token."""
    token, root = killed(GRANDCHILD, number)
    assert becomes_true(lambda: not watchdog.processes(token) and not root.exists())


@pytest.mark.parametrize("kind", ["rabbitmq", "kafka"])
@pytest.mark.parametrize("provider", ["native", "docker"])
def test_a_broker_dies_with_us(kind: Kind, provider: ProviderName) -> None:
    """The processes of a native broker and the container of a docker one go, with their data."""
    require(kind, provider)
    token, root = killed(f"stack.enter_context(open_broker({kind!r}, lifetime, provider={provider!r}))")
    assert becomes_true(lambda: not watchdog.processes(token) and not root.exists())
    if provider == "docker":
        assert becomes_true(lambda: not containers(token))


def test_a_process_left_at_the_end_is_killed_and_named() -> None:
    """The owner of a process should have stopped it: the warning names the process."""
    lifetime = Lifetime()
    with pytest.warns(ResourceWarning, match="sleep 600"), lifetime:
        process = subprocess.Popen(["sleep", "600"], env=lifetime.environment())
    assert process.wait() == -signal.SIGKILL
    assert not lifetime.root.exists()


def test_a_process_that_has_just_been_started_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is empty for a moment, in 549 of 3000 starts on an idle machine, and shows no token."""
    look, looks = watchdog.processes, itertools.count()
    monkeypatch.setattr(watchdog, "processes", lambda token: look(token) if next(looks) else {})
    lifetime = Lifetime()
    with pytest.warns(ResourceWarning, match="sleep 600"), lifetime:
        process = subprocess.Popen(["sleep", "600"], env=lifetime.environment())
    assert process.wait() == -signal.SIGKILL


def test_an_inner_run_is_not_part_of_the_outer_one() -> None:
    """The watchdog of a run that we start as a child survives our sweep, or its children would outlive it."""
    with Lifetime() as outer:
        program = PARENT.format(body=GRANDCHILD.strip())
        command = [sys.executable, "-c", program]
        inner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=outer.environment())
        assert inner.stdout is not None
        token, root = inner.stdout.readline().split()
        assert inner.stdout.readline() == "started\n"
        assert list(watchdog.sweep(outer.token)) == [inner.pid]
        inner.communicate()
        assert becomes_true(lambda: not watchdog.processes(token) and not Path(root).exists())


def require(kind: Kind, provider: ProviderName) -> None:
    """Skip the test, or under CI fail it, where the provider cannot give such a broker."""
    if (missing := unavailable(kind, provider)) is not None:
        if os.environ.get("CI"):
            pytest.fail(f"CI is set, so a missing broker is a failure: {missing}", pytrace=False)
        pytest.skip(str(missing))


def containers(token: str) -> list[str]:
    """Return the ids of the containers that carry the token."""
    command = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={token}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
