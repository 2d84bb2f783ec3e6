"""Random HTTP requests, most of them wrong somehow, and what a service may never do about one."""

import json
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

METHODS = (*["POST"] * 8, "GET", "GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW")
FAULTS = ("delay", "fail", "fail_times", "notification_delay", "notification_fail", "notification_fail_times")
VALUES = ("0", "0.01", "1", "2", "-1", "", "nan", "1e9", "9" * 30, "0x1", "٣", "99999")
STATUSES = ("500", "503", "404")
"""Values as well, though never of a delay: one that is long and right would be obeyed."""

WAYS = ("right", "named", "wrong", "lacking", "cut")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


class Request(NamedTuple):
    """One request as bytes, and its method, which says whether its answer has a body."""

    method: str
    raw: bytes


def requests(paths: Sequence[str]) -> st.SearchStrategy[Request]:
    """Draw requests to these paths, and to others; a path ends in `/` where something may follow."""
    whole, broken = _requests(paths), _broken()
    return st.sampled_from(range(20)).flatmap(lambda drawn: whole if drawn else broken)


def _requests(paths: Sequence[str]) -> st.SearchStrategy[Request]:
    follow = st.text(max_size=20).map(lambda text: quote(text, safe="/", errors="replace"))
    known = st.sampled_from(paths).flatmap(
        lambda path: follow.map(path.__add__) if path.endswith("/") else st.just(path)
    )
    other = follow.map("/".__add__)
    path = st.sampled_from(range(8)).flatmap(lambda drawn: known if drawn else other)
    return st.builds(_made, st.sampled_from(METHODS), path, _queries(), _headers(), _bodies())


def _queries() -> st.SearchStrategy[str]:
    name = st.one_of(st.sampled_from(FAULTS), st.sampled_from(FAULTS), st.text(max_size=8))
    pair = name.flatmap(lambda drawn: _values(drawn).map(lambda value: f"{_quoted(drawn)}={_quoted(value)}"))
    raw = st.text("&=%;+?/abc019", max_size=12)
    pairs = st.lists(pair, min_size=1, max_size=3).map("&".join)
    return st.sampled_from(range(6)).flatmap(lambda drawn: (pairs, raw, pairs, *[st.just("")] * 3)[drawn])


def _values(name: str) -> st.SearchStrategy[str]:
    known = st.sampled_from(VALUES if name.endswith("delay") else VALUES + STATUSES)
    return st.one_of(known, known, st.text(min_size=6, max_size=8))


def _quoted(text: str) -> str:
    return quote(text, errors="replace")


def _headers() -> st.SearchStrategy[list[bytes]]:
    text = st.one_of(st.text("abck0123", min_size=1, max_size=3), st.text(max_size=300))
    key = text.map(lambda value: b"Idempotency-Key: " + _in_header(value))
    kind = st.sampled_from(("application/json", "text/plain", "application/xml", "*/*; charset=x"))
    other = st.builds(
        lambda name, value: f"X-{name}: ".encode() + _in_header(value), st.text("abc", max_size=5), text
    )
    none: list[bytes] = []
    keys = st.one_of(st.just(none), key.map(lambda one: [one]), st.lists(key, max_size=2))
    return st.builds(
        lambda these, content, more: [*these, b"Content-Type: " + content.encode(), *more],
        keys,
        kind,
        st.lists(other, max_size=2),
    )


def _in_header(text: str) -> bytes:
    return text.encode("utf-8", "replace").translate(None, b"\r\n\0")


def _bodies() -> st.SearchStrategy[bytes]:
    orders = st.builds(_spoiled, st.sampled_from((*_GOOD, "coupon")), JSON, st.sampled_from(WAYS))
    text = JSON.map(lambda value: json.dumps(value).encode())
    items = st.dictionaries(st.text(max_size=5), st.integers(-2, 3) | JSON, max_size=3)
    ordered = items.map(lambda value: json.dumps({**_GOOD, "items": value}).encode())
    large = st.integers(65_000, 140_000).map(lambda size: b'{"user_id": "' + b"x" * size + b'"}')
    return st.one_of(
        orders, orders, orders, ordered, text, st.binary(max_size=60), st.just(b"[" * 5000), large
    )


_GOOD: Mapping[str, Any] = {"order_id": "o1", "user_id": "u1", "items": {"burger": 1}}


def _spoiled(field: str, value: Any, how: str) -> bytes:
    """Make an order that is right, or has one wrong field, lacks one, or is cut short."""
    order = dict(_GOOD)
    if field != "order_id" and how != "named":
        order.pop("order_id")  # the right ones for the service that makes the id itself
    if how == "wrong":
        order[field] = value
    if how == "lacking":
        order.pop(field, None)
    body = json.dumps(order).encode()
    return body[:-3] if how == "cut" else body


def _made(method: str, path: str, query: str, headers: Sequence[bytes], body: bytes) -> Request:
    target = f"{path}?{query}" if query else path
    head = [f"{method} {target} HTTP/1.1".encode(), b"Host: 127.0.0.1", *headers]
    if body or method == "POST":
        head.append(f"Content-Length: {len(body)}".encode())
    return Request(method, b"\r\n".join([*head, b"", body]))


def _broken() -> st.SearchStrategy[Request]:
    """Draw what is no HTTP request at all, or one whose body is shorter than it says."""
    short = (
        b'POST /order HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 99\r\n\r\n{"user_id": "u1"'
    )
    noise = st.binary(max_size=80).map(lambda noise: noise + b"\r\n\r\n")
    return st.one_of(noise, st.just(short)).map(lambda raw: Request("", raw))


class Line:
    """A kept connection to a service."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """End the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def ask(self, request: Request) -> tuple[int, bytes]:
        """Send a request; return status and content, 0 where the service ended the connection instead."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        try:
            self._socket.sendall(request.raw)
            if not request.method:  # nothing more will come, so that it is not waited for
                self._socket.shutdown(socket.SHUT_WR)
            return self._answer(request.method)
        except (HTTPException, ConnectionError, BrokenPipeError):
            self.close()
            return 0, b""

    def _answer(self, method: str) -> tuple[int, bytes]:
        assert self._socket is not None
        with HTTPResponse(self._socket, method=method or None) as response:
            response.begin()
            content = response.read()
            if response.will_close or not method:
                self.close()
        return response.status, content


class Judge:
    """Sends requests to one service, and holds it to what it may do.

    No answer above 499, unless a fault was asked for and permitted; after an answer that refuses, `state` is what it
    was before.
    """

    def __init__(self, port: int, state: Callable[[], Any], injected: Callable[[int, Any], bool]) -> None:
        self.seen: Counter[int] = Counter()
        self._line = Line(port)
        self._state = state
        self._injected = injected

    def judge(self, request: Request) -> None:
        """Send one request; fail where the service does what it must not."""
        before = self._state()
        status, content = self._line.ask(request)
        self.seen[status] += 1
        said = _parsed(content)
        if self._injected(status, said):
            return
        assert status < 500, (status, content, request)
        if 400 <= status < 500 and status != 409:
            assert self._state() == before, (status, content, request)
            if isinstance(said, dict) and "title" in said and status != 403:
                assert isinstance(said["field"], str), content  # one without a name has an empty one

    def all(self, paths: Sequence[str], count: int, number: int) -> Counter[int]:
        """Judge so many requests, drawn by a number; return how often each status was met."""

        @seed(number)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests(paths))
        def judged(request: Request) -> None:
            self.judge(request)

        with closing(self._line):
            for path in sorted(set(paths)):  # what is right is among them for certain
                for how in ("right", "named"):
                    body = _spoiled("items", None, how)
                    self.judge(_made("POST", path, "", [b"Idempotency-Key: right"], body))
            judged()
        return self.seen


def unchanged(database: Path) -> Callable[[], int]:
    """Return what tells a version of a database: another number after each change that others commit."""
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    return lambda: int(connection.execute("PRAGMA data_version").fetchone()[0])


def counted(database: Path, table: str) -> Callable[[], int]:
    """Return what counts the rows of a table."""
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    return lambda: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
