"""Another service, as it is asked over HTTP: one request, one reply or none, over connections that are kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from campus_food.settings import SettingError
from campus_food.web_order import KEY

AT_ONCE = 200  # connections that are kept
HEALTH_WITHIN = 1.0  # seconds
OK = 200
REFUSALS = range(400, 500)
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a status and the content, or no status and the reason."""

    status: int | None
    content: Mapping[str, Any]
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status == OK

    @property
    def refused(self) -> bool:
        """Whether it was not done, for certain, and will not be however often it is asked for."""
        return self.status in REFUSALS


class Peer:
    """Asks one service; may be used from several threads.

    `within` bounds each wait for a connection or for bytes. Nothing is repeated here.
    """

    def __init__(self, url: str, within: float) -> None:
        self._pool = urllib3.connection_from_url(
            url, maxsize=AT_ONCE, retries=False, timeout=urllib3.Timeout(total=within)
        )
        self._path = urllib3.util.parse_url(url).path or ""
        self.url = url

    def post(self, path: str, body: bytes, key: str, query: str = "") -> Reply:
        """Send a request under an idempotency key."""
        target = f"{self._path}{path}?{query}" if query else f"{self._path}{path}"
        headers = {KEY: key, "Content-Type": JSON}
        try:
            answer = self._pool.urlopen("POST", target, body=body, headers=headers)
        except HTTPError as error:
            return Reply(None, {}, f"{type(error).__name__}: {error}")
        return Reply(answer.status, _content(answer.data))

    def health(self) -> str | None:
        """Tell why the service cannot do its work; None where it can."""
        try:
            answer = self._pool.urlopen("GET", f"{self._path}/health", timeout=HEALTH_WITHIN)
        except HTTPError as error:
            return f"{self.url}: {type(error).__name__}"
        if answer.status == OK:
            return None
        return f"{self.url}: {_content(answer.data).get('reason', answer.status)}"


def address(environ: Mapping[str, str], name: str, default: str) -> str:
    """Read the address of a service; raises `SettingError`."""
    text = environ.get(name) or default
    try:
        url = urllib3.util.parse_url(text)
    except LocationParseError:
        url = urllib3.util.Url()
    if url.scheme != "http" or not url.host or url.query or url.fragment:
        raise SettingError(f"{name}: expected an address such as {default}, found {text!r}")
    return text.rstrip("/")


def _content(data: bytes) -> Mapping[str, Any]:
    """Read the content; a service that answers with something else than an object tells nothing by it."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
