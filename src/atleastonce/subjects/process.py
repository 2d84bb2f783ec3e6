"""A service under test that is a process: output kept in a log, restarted with the same data.

It has a group of its own, and whatever it starts ends with it: what is in another group or session, as the workers of
a supervisor may be, is known by a mark in its environment.
"""

import contextlib
import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from atleastonce import watchdog
from atleastonce.errors import ServiceError

_VARIABLE = "ATLEASTONCE_SUBJECT"
"""Holds the mark of the subject, in the environment of each of its processes."""
_TAIL_LINES = 12
"""So many that what went wrong is among them: Python says it last, and others above where it happened."""
_RECENT = 64 * 1024


class ProcessSubject:
    """One service, started and ended as often as a schedule asks for.

    `command` is split like a shell splits words, and run without a shell. Everything it and its children write
    goes to `log`, which grows over restarts.
    """

    def __init__(self, name: str, command: str, environment: Mapping[str, str], log: Path, cwd: Path) -> None:
        self.name = name
        self.log = log
        self._words = shlex.split(command)
        self._command = command
        self._mark = secrets.token_hex(8)
        self.environment = dict(environment)
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def session(self) -> int:
        """The session that it and its children belong to; 0 before it was started."""
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def members(self) -> tuple[int, ...]:
        """Its processes that run, those of an earlier start included; none where the system does not list them."""
        return tuple(watchdog.processes(self._mark, _VARIABLE))

    def start(self) -> None:
        """Start the process; raise ServiceError where that fails."""
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._words,
                    env={**self.environment, _VARIABLE: self._mark},
                    cwd=self._cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a group of its own: most of what it starts dies at one blow
                )
            except OSError as exc:
                raise ServiceError(
                    f"cannot start {self.name} with {self._command!r}: {exc.strerror}: "
                    f"{exc.filename or self._words[0]}; it is run without a shell, from the contract's folder"
                ) from exc

    def kill(self) -> None:
        """SIGKILL it and all that it has started, and return at once.

        A process that is only just being started is not seen (`watchdog`): `end` looks again.
        """
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for process in self.members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM), and return at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def stop(self, within: float = 5.0) -> None:
        """Ask it to stop, and see to it that it has ended when this returns (`end`)."""
        self.terminate()
        self.end(within)

    def end(self, within: float = 5.0) -> None:
        """Wait until it has ended, and kill what is left of it: after `within` seconds all of it."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within)
            self.kill()
            self._process.wait()

    @property
    def exit_words(self) -> str:
        """Say how it ended."""
        code = self._process.poll() if self._process is not None else None
        return "it was never started" if code is None else f"it ended with exit code {code}"

    def describe_exit(self) -> str:
        """Say how it ended, with the end of its log."""
        return f"{self.exit_words}; the end of its log:\n{self.tail()}"

    def recent_log(self) -> str:
        """Return the end of the log, at most 64 KiB of it."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _RECENT))
            return file.read().decode(errors="replace")

    def tail(self) -> str:
        """Return the last lines of the log, indented."""
        text = self.recent_log()
        said = [line for line in text.splitlines() if line.strip() and not line.startswith("Traceback (")]
        lines = said[-_TAIL_LINES:] or ["(it wrote nothing)"]
        return "\n".join(f"    {line}" for line in lines)


def own_environment() -> dict[str, str]:
    """Return our environment, in which ``python`` is the one that runs us unless a virtual one is active.

    So a contract's ``python -m …`` finds what is installed beside atleastonce, also where the virtual
    environment's program was called without activating it.
    """
    environment = dict(os.environ)
    if "VIRTUAL_ENV" not in environment:
        here = str(Path(sys.executable).parent)
        environment["PATH"] = os.pathsep.join((here, environment.get("PATH", os.defpath)))
    environment.setdefault("PYTHONUNBUFFERED", "1")
    return environment
