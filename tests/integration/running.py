"""Runs the command line as a user does: another process, its output read as it comes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
