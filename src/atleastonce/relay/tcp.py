"""A TCP relay between one subject and its broker: passes whole frames, records their events, springs traps.

One `Relay` per service and lane, with an event loop in a thread of its own. It outlives the subject: after a
kill it absorbs what is still coming and ends every link of the dead client in order (`Relay.bury`).
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from atleastonce.errors import BrokerError, TransportError
from atleastonce.history import Event
from atleastonce.relay.codec import Wire
from atleastonce.relay.link import End, Link
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap

LOOPBACK = "127.0.0.1"

Address = tuple[str, int]
T = TypeVar("T")


class Relay:
    """Listens on 127.0.0.1 for one service, and passes everything to the broker and back.

    `record` and `strike` are called on the relay's thread: the first with every event in the order it
    happened, the second when a trap springs, before or after its event passed; what `strike` does to the link
    (cut, hold) or to the relay (bury) holds from the very frame that sprang it.
    """

    def __init__(
        self,
        upstream: Address,
        service: str,
        make_wire: Callable[[Callable[[str, int], Address]], Wire],
        record: Callable[[Event], None],
        strike: Callable[[Trap, Link], None],
    ) -> None:
        self.service = service
        self.traps = Traps()
        self.record = record
        self.strike = strike
        self.clock: Callable[[], float] = time.monotonic
        self.failure: BaseException | None = None
        self._upstream = upstream
        self._listeners: dict[Address, Address] = {}
        self._links: dict[int, Link] = {}
        self._numbers = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._failed)
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"relay-{service}", daemon=True)
        self._wire = make_wire(self.address_for)

    # -- for the runner's thread

    def __enter__(self) -> Self:
        self._thread.start()
        self.address = self.call(self._listen_upstream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._shut(), within=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, what: Callable[[], T]) -> T:
        """Run a function on the relay's thread and return its result."""

        async def on_loop() -> T:
            return what()

        return self.run(on_loop(), within=10)

    def run(self, what: Coroutine[Any, Any, T], within: float) -> T:
        """Run a coroutine on the relay's loop and return its result; raise TimeoutError after `within` s."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(within)

    def subscribed(self) -> bool:
        """Whether the subject consumes over a live link."""
        return any(link.codec.subscribed and not link.dead for link in list(self._links.values()))

    def bury(self, within: float = 10.0) -> bool:
        """End every link of the dead subject in order, and wait for that; say whether it was all in order."""
        try:
            return self.run(self._bury(), within)
        except (TimeoutError, BrokerError, OSError) as exc:
            self.record(Event(event="buried", t=self.clock(), service=self.service, ok=False, note=str(exc)))
            self.call(self.abandon)
            return False

    # -- on the relay's loop

    def absorb(self) -> None:
        """From now on absorb whatever the links of the dead subject still carry."""
        for link in list(self._links.values()):
            link.dead = True

    def abandon(self) -> None:
        """Close every link without order."""
        for link in list(self._links.values()):
            link.end()

    def forget(self, link: Link) -> None:
        """Drop a link that has ended."""
        self._links.pop(link.number, None)

    def address_for(self, host: str, port: int) -> Address:
        """Return where the relay listens for that broker; open a listener for one that is new."""
        upstream = (host, port)
        if upstream not in self._listeners:
            listener = socket.create_server((LOOPBACK, 0), backlog=64)
            listener.setblocking(False)
            self._listeners[upstream] = listener.getsockname()[:2]
            self._spawn(self._serve(listener, upstream))
        return self._listeners[upstream]

    def _listen_upstream(self) -> Address:
        return self.address_for(*self._upstream)

    async def _serve(self, listener: socket.socket, upstream: Address) -> None:
        server = await self._loop.create_server(lambda: self._accepted(upstream), sock=listener)
        async with server:
            await server.serve_forever()

    def _accepted(self, upstream: Address) -> End:
        self._numbers += 1
        link = Link(self, self._numbers, self._wire.codec(self._numbers))
        self._links[link.number] = link
        self._spawn(self._connect(link, upstream))
        return End(link, "subject")

    async def _connect(self, link: Link, upstream: Address) -> None:
        try:
            await self._loop.create_connection(lambda: End(link, "broker"), *upstream)
        except OSError:
            link.end()  # the subject sees what it would see without us: a broker that is not there
        else:
            if link.ended.is_set():
                link.end()

    async def _bury(self) -> bool:
        links = list(self._links.values())
        for link in links:
            link.bury()
        for link in links:
            await link.ended.wait()
        for event in await self._wire.farewell(self._ask):
            self.record(msgspec.structs.replace(event, t=self.clock(), service=self.service))
        self.record(Event(event="buried", t=self.clock(), service=self.service))
        return True

    async def _ask(self) -> "_Asking":
        return _Asking(*await asyncio.open_connection(*self._upstream))

    async def _shut(self) -> None:
        self.abandon()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Keep the first failure of our own: the case it happened in is unknown, not judged."""
        self.failure = self.failure or context.get("exception") or RuntimeError(context["message"])


class _Asking:
    """A connection of our own for length-prefixed requests (`codec.Connection`)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> bytes:
        """Send a request, its length in its first four bytes, and return the answer in the same form."""
        self._writer.write(request)
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await self._reader.readexactly(4)
            return head + await self._reader.readexactly(int.from_bytes(head, "big"))
        raise TransportError("the broker closed the connection on which the relay asked it something")

    def close(self) -> None:
        """End the connection."""
        self._writer.close()
