"""Traces the system calls by which a service changes the world, in a process that ends with its block."""

import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from atleastonce.errors import ServiceError
from atleastonce.subjects import tracer
from atleastonce.subjects.system_calls import MACHINES, numbered

_PERMIT = "run as root, give the container SYS_PTRACE, or set kernel.yama.ptrace_scope to 0"


@dataclass(frozen=True)
class Call:
    """A system call that a service is about to make: which one it is, by which thread, and what it does.

    `hit`: it has not begun, and nothing of the service goes on until the tracer is closed.
    """

    number: int
    thread: int
    what: str
    hit: bool


class Tracer:
    """Attaches to the processes of a session, and stops them at the `nth` call; a context manager.

    `close` may be called from another thread: whoever waits for a call then waits no longer.
    """

    def __init__(self, nth: int, session: int, environment: Mapping[str, str]) -> None:
        self._words = (
            *(sys.executable, "-I", "-S", tracer.__file__),
            *(str(nth), str(session), numbered(platform.machine())),
        )
        self._process = subprocess.Popen(
            self._words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._process.wait()
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        self._process.stdout.close()

    def close(self) -> None:
        """Let go of the service."""
        self._process.kill()

    def await_attached(self) -> int:
        """Return to how many threads it is attached, once it is to all; raise ServiceError where it cannot be."""
        word, _, rest = self._line().partition(" ")
        if word == "ready":
            return int(rest)
        found = rest if word == "failed" else "the tracer was ended"
        permit = f"; {_PERMIT}" if "permitted" in found else ""
        raise ServiceError(f"the system calls of the service cannot be traced: {found}{permit}")

    def calls(self) -> Iterator[Call]:
        """Yield every call, until the service has ended or the tracer is closed."""
        while line := self._line():
            word, number, thread, what = line.split(" ", 3)
            yield Call(int(number), int(thread), what, hit=word == "hit")

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        return self._process.stdout.readline().rstrip("\n")


def problem(environment: Mapping[str, str]) -> str | None:
    """Say why no service can be traced on this machine; None where one can. Tries it on a process of its own."""
    if not sys.platform.startswith("linux") or platform.machine() not in MACHINES:
        here, there = f"{platform.system()} on {platform.machine()}", " or ".join(MACHINES)
        return f"the system calls of the service cannot be traced: found {here}, known is Linux on {there}"
    waits = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(waits, env=environment, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            with Tracer(0, process.pid, environment) as tried:
                tried.await_attached()
        except ServiceError as exc:
            return str(exc)
        finally:
            process.kill()
    return None
