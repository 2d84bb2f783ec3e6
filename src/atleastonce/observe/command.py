"""Observes by a command: what it prints is what is seen, JSON where it is JSON."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atleastonce.errors import ObservationError

_WITHIN = 10.0
"""How long a command may take, in seconds: a database's client starts slowly on a busy machine."""
_SHOWN = 200


class CommandObserver:
    """Runs commands without a shell, from one folder and with one environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def get(self, command: str) -> Any:
        """Return what a command prints: JSON, text, or None for nothing; raise as `text` does."""
        text = self.text(command).strip()
        try:
            return json.loads(text)
        except ValueError:
            return text or None

    def text(self, command: str) -> str:
        """Return what a command prints, as it is.

        Raise ObservationError where it cannot be run, fails, or does not end: then the state was not seen.
        """
        try:
            done = subprocess.run(
                shlex.split(command),
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_WITHIN,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise ObservationError(f"`{command}` did not end within {_WITHIN:g} s") from exc
        except (OSError, ValueError) as exc:
            raise ObservationError(f"`{command}` could not be run: {exc}") from exc
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-_SHOWN:]
            raise ObservationError(
                f"`{command}` ended with {done.returncode}: {said or 'it said nothing'}; where there is nothing to "
                "see it has to end with 0 as well, and print nothing, as `sh -c 'cat FILE 2>/dev/null; true'` does"
            )
        return done.stdout.decode("utf-8", "backslashreplace")
