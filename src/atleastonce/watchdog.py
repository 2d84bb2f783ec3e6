"""Ends what a run has started, once that run is gone; also runs as a process of its own.

Children are found by a token in their environment, not by a list of process ids: whoever they start inherits
it, also after a change of session or process group, and nothing can slip through between a start and its
registration. Limits: a program that wipes its environment, or belongs to another user, is not seen. Cost: one
pass over ``/proc``, a few milliseconds.

Started as ``python -I -S watchdog.py TOKEN ROOT`` with a pipe as its standard input, this module imports
nothing heavy, so that it is there within hundredths of a second. The pipe carries lines (`USES_DOCKER`,
`DONE`), and its end says that the run is over.
"""

# ruff: noqa: PTH123, PTH208 - pathlib would be the largest import of this module

import os
import signal
import sys
import time

VARIABLE = "ATLEASTONCE_RUN"
USES_DOCKER = "docker"  # followed by the engine's address, which may be empty
DONE = "done"
QUIET_PASSES = 2  # in a row: a child that is being started during the first pass is there for the second
PATIENCE = 8.0  # seconds: what a run has started is gone within 10 s of its end, containers included

_REMOVE_CONTAINERS = """
import sys
from atleastonce.lifetimes import remove_containers
remove_containers(sys.argv[1], sys.argv[2] or None)
"""


def processes(token: str, variable: str = VARIABLE) -> dict[int, str]:
    """Return the command of every process, by process id, that holds the token in its environment."""
    mark = f"{variable}={token}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    marked = mark in file.read().split(b"\0")
                if marked:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        found[int(entry)] = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue  # it ended while we looked, or is another user's
    return found


def sweep(token: str, patience: float = PATIENCE) -> dict[int, str]:
    """Kill every process that holds the token and return what was found; gives up after `patience` seconds.

    It goes on until `QUIET_PASSES` passes in a row have found nothing.
    """
    killed: dict[int, str] = {}
    quiet = 0
    deadline = time.monotonic() + patience
    while quiet < QUIET_PASSES and time.monotonic() < deadline:
        alive = processes(token)
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        killed.update(alive)
        quiet = 0 if alive else quiet + 1
        time.sleep(0.02)
    return killed


def main(token: str, root: str) -> None:
    """Wait until the pipe on standard input ends; unless told that all is done, sweep up after the run."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(0) as pipe:
        lines = pipe.read().splitlines()
    if DONE in lines:
        return
    import shutil  # noqa: PLC0415 - costs a few hundredths of a second, and is rarely needed
    import subprocess  # noqa: PLC0415 - likewise

    sweep(token)
    engines = {line.partition(" ")[2] for line in lines if line.startswith(USES_DOCKER)}
    for engine in engines:
        command = [sys.executable, "-P", "-c", _REMOVE_CONTAINERS, token, engine]
        subprocess.run(command, check=False, timeout=60)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
