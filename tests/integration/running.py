"""Runs the command line as a user does: another process, its output read as it comes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atleastonce import watchdog

GONE_WITHIN = 10.0  # seconds: the promise of the design
PROGRAM = (sys.executable, "-m", "atleastonce")


def called(*words: str, cwd: Path, within: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*PROGRAM, *words], cwd=cwd, capture_output=True, text=True, timeout=within, check=False
    )


@contextmanager
def running(*words: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command, with this added to its environment, and make sure that it is over when the block is."""
    process = subprocess.Popen(
        [*PROGRAM, *words],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read lines until one holds a text; fail where the output ends before."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{''.join(seen)}")


def end(process: subprocess.Popen[str], number: signal.Signals) -> float:
    """Send a signal, wait for the process, and return the seconds it took."""
    began = time.monotonic()
    os.kill(process.pid, number)
    assert process.stdout is not None
    process.stdout.read()
    process.wait(10)
    return time.monotonic() - began


def containers(token: str) -> list[str]:
    """Return the containers of a run; none where there is no engine."""
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=atleastonce.run={token}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return listed.stdout.split()


def left_of(token: str, folder: Path) -> list[str]:
    """Return what is left of a run that keeps its temporary files in a folder."""
    return [
        *watchdog.processes(token).values(),
        *containers(token),
        *([str(folder)] if folder.exists() else []),
    ]


def await_nothing_left(token: str, folder: Path) -> None:
    """Wait until nothing is left of a run; fail where that takes longer than promised."""
    deadline = time.monotonic() + GONE_WITHIN
    while left := left_of(token, folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
