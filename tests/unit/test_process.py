"""A service that is a process, and what it starts."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atleastonce.subjects.process import ProcessSubject

SUPERVISOR = """
import subprocess, sys, time
for command in sys.argv[1:]:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=command == "apart")
time.sleep(60)
"""


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Wait until something is true."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[ProcessSubject]:
    """Return a service with two workers, one of them in a session of its own."""
    (tmp_path / "supervisor.py").write_text(SUPERVISOR)
    command = f"{sys.executable} supervisor.py apart beside"
    subject = ProcessSubject("shop", command, os.environ, tmp_path / "shop.log", tmp_path)
    subject.start()
    assert within(10, lambda: len(subject.members) == 3)
    yield subject
    subject.kill()


@pytest.mark.parametrize("end", [ProcessSubject.kill, ProcessSubject.stop])
def test_what_a_service_has_started_ends_with_it(
    supervisor: ProcessSubject, end: Callable[[ProcessSubject], None]
) -> None:
    """Also a worker in a session of its own, which no signal to the group reaches."""
    end(supervisor)
    assert within(5, lambda: not supervisor.members)
    supervisor.end()
    assert not supervisor.alive


def test_what_outlived_a_service_that_ended_by_itself_is_ended(supervisor: ProcessSubject) -> None:
    """Before the next one is started: two of them are more than the contract has."""
    os.kill(supervisor.session, signal.SIGKILL)
    assert within(5, lambda: not supervisor.alive)
    assert len(supervisor.members) == 2
    supervisor.end()
    assert within(5, lambda: not supervisor.members)
