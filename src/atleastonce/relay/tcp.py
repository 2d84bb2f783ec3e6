"""A TCP relay between one subject and its broker: passes whole frames, records their events, springs traps.

One `Relay` per subject; those of a lane share a `Loop`, so that what passes has one order. It outlives the
subject: after a kill it absorbs what is still coming and ends every link of the dead client in order
(`Relay.bury`).
"""

import asyncio
import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

import msgspec

from atleastonce.errors import BrokerError, TransportError
from atleastonce.history import Event
from atleastonce.relay.codec import Wire
from atleastonce.relay.link import End, Link, Recorder
from atleastonce.relay.loop import Loop
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap

LOOPBACK = "127.0.0.1"

Address = tuple[str, int]


class Relay:
    """Listens on 127.0.0.1 for one subject, and passes everything to the broker and back.

    `record` and `strike` are called on the loop's thread: the first with every event in the order it
    happened, the second when a trap springs, before or after its event passed; what `strike` does to the link
    (cut, hold) or to the relay (bury) holds from the very frame that sprang it. `traps` may be shared: the
    instances of one service spring each trap once.
    """

    def __init__(
        self,
        loop: Loop,
        upstream: Address,
        service: str,
        make_wire: Callable[[Callable[[str, int], Address]], Wire],
        record: Recorder,
        strike: Callable[[Trap, Link], None],
        traps: Traps | None = None,
    ) -> None:
        self.service = service
        self.to = ""
        """The service that this relay leads to; empty for the broker."""
        self.numbers: Iterator[int] = itertools.count(1)
        """The numbers of links; shared by the relays of one subject, whose links must be told apart."""
        self.traps = traps or Traps()
        self.record = record
        self.strike = strike
        self.clock: Callable[[], float] = time.monotonic
        self._loop = loop
        self._upstream = upstream
        self.refuses = False
        self.refused = 0
        """How many links were refused since the last cut."""
        self._listeners: dict[Address, Address] = {}
        self._links: dict[int, Link] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._wire = make_wire(self.address_for)

    # -- for the runner's thread

    def __enter__(self) -> Self:
        self.address = self._loop.call(self._listen_upstream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._shut(), within=10)

    def cut(self, *, refuse: bool = False) -> int:
        """Reset every link, and `refuse` new ones until `mend`; return how many there were."""
        return self._loop.call(lambda: self._cut(refuse=refuse))

    def mend(self) -> None:
        """Take new links again."""
        self.refuses = False

    def subscribed(self) -> bool:
        """Whether the subject consumes over a live link."""
        return any(link.codec.subscribed and not link.dead for link in list(self._links.values()))

    def bury(self, within: float = 10.0, *, for_good: bool = False) -> bool:
        """End every link of the dead subject in order, and wait for that; say whether it was all in order.

        `for_good`: the broker keeps no place for it either (`Wire.farewell`).
        """
        try:
            return self._loop.run(self._bury(for_good=for_good), within)
        except (TimeoutError, BrokerError, OSError) as exc:
            self.record(Event(event="buried", t=self.clock(), service=self.service, ok=False, note=str(exc)))
            self._loop.call(self.abandon)
            return False

    # -- on the relay's loop

    def absorb(self) -> None:
        """From now on absorb whatever the links of the dead subject still carry."""
        for link in list(self._links.values()):
            link.dead = True

    async def drained(self) -> None:
        """Wait until everything that the subject has sent was read: whoever stands still sends no more."""
        while any(link.unread() for link in self._links.values()):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0)  # the loop reads meanwhile

    def _cut(self, *, refuse: bool) -> int:
        self.refuses, self.refused = refuse, 0
        live = [link for link in self._links.values() if not link.dead]
        for link in live:
            link.cut()
        return len(live)

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
        server = await self._loop.events.create_server(lambda: self._accepted(upstream), sock=listener)
        async with server:
            await server.serve_forever()

    def _accepted(self, upstream: Address) -> End:
        number = next(self.numbers)
        link = Link(self, number, self._wire.codec(number))
        self._links[link.number] = link
        if self.refuses:
            self.refused += 1
            link.refuse()
        else:
            self._spawn(self._connect(link, upstream))
        return End(link, "subject")

    async def _connect(self, link: Link, upstream: Address) -> None:
        try:
            await self._loop.events.create_connection(lambda: End(link, "broker"), *upstream)
        except OSError:
            link.unreached()
        else:
            if link.ended.is_set():
                link.end()

    async def _bury(self, *, for_good: bool) -> bool:
        links = list(self._links.values())
        for link in links:
            link.bury()
        for link in links:
            await link.ended.wait()
        for event in await self._wire.farewell(self._ask, for_good=for_good):
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
        task = self._loop.events.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


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
