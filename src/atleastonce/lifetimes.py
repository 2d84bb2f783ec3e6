"""Nothing we start outlives us: processes, containers and temporary files all end with their run.

A run has a random token. Processes carry it in their environment and containers in a label, so both are found
again whatever they did in between. On a normal exit `Lifetime` itself looks for what is left; if this process
dies in any other way, SIGKILL included, the watchdog notices that its pipe has ended and does the same.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from atleastonce import watchdog

LABEL = "atleastonce.run"
_FOLLOWS_WITHIN = 5.0
"""Seconds; on a machine with several runs at once, the helpers of a native RabbitMQ took more than half of one."""


class Lifetime:
    """One run: a token, a temporary directory, and the promise that whatever carries the token goes away.

    Assumes that children are started with `environment` and containers with `labels`. Processes that *fork*
    from us without starting a program are not reached, and keep the watchdog waiting. Costs a small process.
    """

    def __init__(self) -> None:
        """Draw the token; nothing is started before the `with` block."""
        self.token = secrets.token_hex(8)
        self.root = Path(tempfile.gettempdir()) / f"atleastonce-{self.token}"
        self.labels: Mapping[str, str] = {LABEL: self.token}
        self._engines: set[str] = set()
        self._watchdog: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start the watchdog, then make the directory: in this order there is no moment without a guard."""
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, self.token, str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # or whoever reads our output would wait for the watchdog, too
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            # a run inside a run: the outer sweep must not end the inner watchdog before it has done its work
            env={name: value for name, value in os.environ.items() if name != watchdog.VARIABLE},
        )
        self.root.mkdir(mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Sweep up, let the watchdog go, and warn of processes that their owner should have stopped."""
        leaked = self._leaked()
        watchdog.sweep(self.token)
        for engine in self._engines:
            remove_containers(self.token, engine or None)
        shutil.rmtree(self.root, ignore_errors=True)
        self._tell(watchdog.DONE)
        if self._watchdog is not None:
            self._watchdog.communicate(timeout=watchdog.PATIENCE)
        if leaked and kind is None:
            names = ", ".join(f"{command!r} (pid {pid})" for pid, command in leaked.items())
            warnings.warn(f"still running at the end and killed: {names}", ResourceWarning, stacklevel=2)

    def directory(self, name: str) -> Path:
        """Return the directory of that name below the run's own one, made if it is not there."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment for a child: ours, the token, and `extra`."""
        return {**os.environ, **(extra or {}), watchdog.VARIABLE: self.token}

    def uses_docker(self, engine: str | None = None) -> None:
        """Say, before the first one is made, that there will be containers on the engine at that address."""
        if (engine or "") not in self._engines:
            self._engines.add(engine or "")
            self._tell(f"{watchdog.USES_DOCKER} {engine or ''}")

    def _leaked(self) -> dict[int, str]:
        """Return what runs still; helpers of a process that was just killed are given a moment to follow it.

        A process that has just been started shows no environment yet: as in a sweep, one look proves nothing.
        """
        deadline = time.monotonic() + _FOLLOWS_WITHIN
        alive: dict[int, str] = {}
        quiet = 0
        while quiet < watchdog.QUIET_PASSES and time.monotonic() < deadline:
            alive = watchdog.processes(self.token)
            quiet = 0 if alive else quiet + 1
            time.sleep(0.02)
        return alive

    def _tell(self, line: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # without a watchdog we still clean up ourselves
                self._watchdog.stdin.write(line + "\n")
                self._watchdog.stdin.flush()


def remove_containers(token: str, engine: str | None = None) -> list[str]:
    """Remove every container of the run and return their names; an engine that does not answer has none.

    Like processes, they are looked for until some passes in a row find nothing: one may be in the making.
    """
    import docker  # noqa: PLC0415 - heavy, and most runs on native brokers never need it
    from docker.errors import DockerException  # noqa: PLC0415 - likewise
    from requests.exceptions import RequestException  # noqa: PLC0415 - what docker lets through when an engine dies

    removed: list[str] = []
    deadline = time.monotonic() + watchdog.PATIENCE
    with contextlib.suppress(DockerException, RequestException):
        client = docker.DockerClient(base_url=engine) if engine else docker.from_env()
        with contextlib.closing(client):
            mine = {"label": f"{LABEL}={token}"}
            quiet = 0
            while quiet < watchdog.QUIET_PASSES and time.monotonic() < deadline:
                found = client.containers.list(all=True, filters=mine, ignore_removed=True)
                for container in found:
                    with contextlib.suppress(DockerException):  # somebody else is removing it
                        container.remove(force=True, v=True)
                removed += [str(container.name) for container in found]
                quiet = 0 if found else quiet + 1
                time.sleep(0.05)
    return removed
