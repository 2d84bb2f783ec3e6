"""Observes by HTTP: one GET per address, JSON where it is JSON."""

import json
import socket
from typing import Any

import urllib3

from atleastonce.errors import ObservationError

_OK = range(200, 300)
_NOTHING_THERE = (404, 410)
_GLANCE = 2.0
"""How long an answer is awaited where only its status counts, in seconds."""


class HttpObserver:
    """Keeps its connections; not thread-safe."""

    def __init__(self, timeout: float = 5.0) -> None:
        # A kept connection may belong to a process that was killed since: a GET may be repeated.
        self._pool = urllib3.PoolManager(retries=urllib3.Retry(2, redirect=0), timeout=timeout)

    def get(self, url: str) -> Any:
        """Return what an address answers: JSON, text, None for 404 and 410, else ``{"$status": 403}``.

        Raise ObservationError where nothing answers, or with 5xx: then the state was not seen.
        """
        try:
            answer = self._pool.request("GET", url)
        except urllib3.exceptions.HTTPError as exc:
            found = "nothing listens there" if not self.listens(url) else f"{type(exc).__name__}: {exc}"
            raise ObservationError(f"GET {url} failed: {found}") from exc
        if answer.status >= 500:  # noqa: PLR2004 - server errors begin there
            raise ObservationError(f"GET {url} answered {answer.status}: {answer.data[:200]!r}")
        if answer.status in _NOTHING_THERE:
            return None
        if answer.status not in _OK:
            return {"$status": answer.status}
        text = answer.data.decode("utf-8", "replace")
        try:
            return json.loads(text)
        except ValueError:
            return text

    def text(self, url: str) -> str:
        """Return what an address answers, as it is; raise ObservationError for anything but 2xx."""
        try:
            answer = self._pool.request("GET", url)
        except urllib3.exceptions.HTTPError as exc:
            raise ObservationError(f"GET {url} failed: {type(exc).__name__}: {exc}") from exc
        if answer.status not in _OK:
            raise ObservationError(f"GET {url} answered {answer.status}: {answer.data[:200]!r}")
        return answer.data.decode("utf-8", "backslashreplace")

    def answers(self, url: str) -> bool:
        """Tell whether an address answers 2xx now."""
        return self.status(url) in _OK

    def status(self, url: str) -> int:
        """Return the status that an address answers now, 0 for no answer."""
        try:
            return int(self._pool.request("GET", url, retries=False, timeout=_GLANCE).status)
        except urllib3.exceptions.HTTPError:
            return 0

    def listens(self, url: str) -> bool:
        """Tell whether somebody takes connections where an address points to."""
        parsed = urllib3.util.parse_url(url)
        try:
            with socket.create_connection((parsed.host or "", parsed.port or 80), timeout=1):
                return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()
