"""A passage between a service and whoever asks it: passes bytes, and notes when each attempt began and ended."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from atleastonce.brokers.broker import LOOPBACK
from atleastonce.latency.statistics import NO_ANSWER
from atleastonce.relay.loop import Loop

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})")
_CHUNK = 64 * 1024
_WITHIN = 10.0


@dataclass
class Seen:
    """One attempt: from the first byte of the request to the last one of the answer so far."""

    began: float
    ended: float
    status: int = NO_ANSWER
    line: bytes = b""

    @property
    def path(self) -> str:
        """What was asked for: ``/reserve?fail=500``."""
        words = self.line.partition(b"\r\n")[0].split(b" ")
        return words[1].decode("latin-1") if len(words) > 1 else ""


class Passage:
    """Listens on 127.0.0.1 for one service; a context manager that ends every connection.

    Promise: on each connection, what the client sends after an answer begins a new attempt. Nothing is read
    but the first line of each. Limits: HTTP/1 without pipelining, and no TLS; with HTTP/2 a connection is one
    attempt. Cost: some tenths of a millisecond for each request, which are part of what is measured.
    """

    def __init__(
        self, loop: Loop, host: str, port: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._loop = loop
        self._upstream = (host, port)
        self._clock = clock
        self._seen: list[Seen] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._talks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._server = self._loop.run(asyncio.start_server(self._accept, LOOPBACK, 0), _WITHIN)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._close(), _WITHIN)

    def take(self) -> list[Seen]:
        """Return the attempts since the last time, in the order in which they began."""

        def taken() -> list[Seen]:
            seen, self._seen = self._seen, []
            return seen

        return self._loop.call(taken)

    def _note(self, seen: Seen) -> None:
        self._seen.append(seen)

    async def _close(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*self._talks)  # each ends, now that its connections have

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        talk = self._loop.events.create_task(self._taken(client, to_client))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _taken(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self._open.add(to_client)
        talk = _Talk(self._note, self._clock)
        try:
            service, to_service = await asyncio.open_connection(*self._upstream)
        except OSError:
            # Whoever asks would have been refused, and meets the end of its connection instead: an attempt it is.
            with contextlib.suppress(OSError):
                if data := await client.read(_CHUNK):
                    talk.asked(data)
            to_client.transport.abort()
            self._open.discard(to_client)
            return
        self._open.add(to_service)
        pumps = (self._pump(client, to_service, talk.asked), self._pump(service, to_client, talk.answered))
        await asyncio.gather(*pumps)
        for writer in (to_client, to_service):
            writer.close()
            self._open.discard(writer)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, note: Callable[[bytes], None]
    ) -> None:
        """Pass bytes until the source ends, and then let the target know."""
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                note(data)
                target.write(data)
                await target.drain()
        with contextlib.suppress(OSError, RuntimeError):
            if target.can_write_eof():
                target.write_eof()


class _Talk:
    """What goes to and fro on one connection."""

    def __init__(self, add: Callable[[Seen], None], clock: Callable[[], float]) -> None:
        self._add = add
        self._clock = clock
        self._now: Seen | None = None

    def asked(self, data: bytes) -> None:
        """Take what the client sent."""
        if self._now is None or self._now.status != NO_ANSWER:
            self._now = Seen(self._clock(), self._clock())
            self._add(self._now)
        if b"\r\n" not in self._now.line:
            self._now.line += data[:_CHUNK]

    def answered(self, data: bytes) -> None:
        """Take what the service sent."""
        if self._now is None:
            return
        self._now.ended = self._clock()
        if self._now.status == NO_ANSWER and (match := _STATUS.match(data)) and not match[1].startswith(b"1"):
            self._now.status = int(match[1])  # 100 Continue is no answer yet
