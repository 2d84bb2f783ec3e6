"""A broker as a process of this machine, of whatever kind: started, stopped, frozen and killed by signals."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from atleastonce.brokers.broker import RunningBroker
from atleastonce.brokers.readiness import ready
from atleastonce.brokers.settings import open_files
from atleastonce.errors import BrokerError

# the limit is set in the child: this process may run threads, between whose fork and exec no Python is safe
_WITH_OPEN_FILES = ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', str(open_files())]


@dataclass(kw_only=True)
class NativeBroker(RunningBroker):
    """A broker that is our child, in a session of its own.

    Its directory holds its data and its log, ``broker.log``. A restart appends to that log.
    """

    command: list[str]
    environment: Mapping[str, str]
    directory: Path
    stops_within: float = 15.0  # seconds that an orderly stop may take before it is ended with SIGKILL
    reported_by_log: re.Pattern[str] | None = None  # group 1 is the version, where no handshake tells it
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Return once the broker is ready; raise BrokerError with its log if it does not get so."""
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*_WITH_OPEN_FILES, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=dict(self.environment),
                start_new_session=True,  # Ctrl-C in a terminal is ours to answer, not the broker's
            )
        self.version = ready(self, self._log, lambda: self._running.poll() is None) or self._version_in_log()

    def stop(self) -> None:
        """Stop in order, or with SIGKILL if that takes too long; nothing happens after `kill`."""
        self.resume()
        if self._running.poll() is None:
            self._running.terminate()  # the leader only: it ends its helpers when it no longer needs them
        try:
            self._running.wait(self.stops_within)
        except subprocess.TimeoutExpired:
            self.kill()

    def restart(self) -> None:
        """Stop in order and start again; after `kill`, just start."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze every process of the broker."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let every process of the broker go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End every process of the broker at once, if it was started and runs."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BrokerError(f"was to act on {self.title}: it has never been started; call start() first")
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        if self._running.poll() is None:
            os.killpg(self._running.pid, number)

    @property
    def _log_file(self) -> Path:
        return self.directory / "broker.log"

    def _log(self) -> str:
        return self._log_file.read_text(errors="replace")

    def _version_in_log(self) -> str:
        found = self.reported_by_log.search(self._log()) if self.reported_by_log else None
        return found.group(1) if found else ""
