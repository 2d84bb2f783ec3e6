"""A TCP relay between one subject and its broker: passes whole frames, records their events, springs traps.

One `Relay` per service and lane, with an event loop in a thread of its own. It outlives the subject: after a
kill it absorbs what is still coming and ends every link of the dead client in order (`Relay.bury`).
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from atleastonce.errors import BrokerError, TransportError
from atleastonce.history import Event
from atleastonce.relay.codec import Codec, From, Segment, Wire
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap

LOOPBACK = "127.0.0.1"

Address = tuple[str, int]
T = TypeVar("T")


class Link:
    """One connection of the subject, and the one to the broker behind it."""

    def __init__(self, relay: "Relay", number: int, codec: Codec) -> None:
        self.relay = relay
        self.number = number
        self.codec = codec
        self.dead = False
        self.ended = asyncio.Event()
        self._holding = False
        self._held: deque[tuple[From, Segment]] = deque()
        self._ends: dict[From, _End] = {}
        self._early = bytearray()

    # -- what a fault may do to it, on the relay's loop

    def cut(self) -> None:
        """End both sides at once, as a broken network does; what was passed to the broker still arrives."""
        self.relay.record(self._stamped(Event(event="cut")))
        self.dead = True
        for side, end in self._ends.items():
            if side == "subject":
                end.transport.abort()
            else:
                end.transport.close()

    def hold(self) -> None:
        """Keep back everything, in both directions, from the frame that is due now on."""
        self._holding = True

    def release(self) -> None:
        """Pass on what was held, and go on."""
        self._holding = False
        while self._held and not self._holding and not self.dead:
            self._pass(*self._held.popleft())

    # -- called by its two ends

    def opened(self, side: From, end: "_End") -> None:
        """Take one end into use; what the subject sent before the broker was reached goes out now."""
        self._ends[side] = end
        if side == "broker":
            early, self._early = bytes(self._early), bytearray()
            self.relay.record(self._stamped(Event(event="open")))
            if early:
                self.received("subject", early)

    def received(self, side: From, data: bytes) -> None:
        """Take bytes that one side sent."""
        if side == "subject" and self.dead:
            return
        if "broker" not in self._ends:
            self._early += data
            return
        for segment in self.codec.received(side, data):
            if self.dead:
                self._absorb(side, segment)
            elif self._holding:
                self._held.append((side, segment))
            else:
                self._pass(side, segment)
        if self.dead and self.codec.buried:
            self.end()

    def lost(self, side: From) -> None:
        """One side is gone: a subject's link is ended in order, a broker's end is passed on."""
        self._ends.pop(side, None)
        if side == "broker" or "broker" not in self._ends:
            self.end()
        elif not self.dead:
            self.bury()

    def throttle(self, side: From, *, full: bool) -> None:
        """Stop or go on reading from the other side, since this side's buffer is full or drained."""
        other = self._ends.get("broker" if side == "subject" else "subject")
        if other is not None and not other.transport.is_closing():
            other.transport.pause_reading() if full else other.transport.resume_reading()

    # -- ending

    def bury(self) -> None:
        """From now on absorb what comes, and ask the broker to end the link in order."""
        self.dead = True
        broker = self._ends.get("broker")
        if broker is None:
            self.end()
            return
        broker.transport.resume_reading()
        broker.transport.write(self.codec.bury())
        if self.codec.buried:
            self.end()

    def end(self) -> None:
        """Close what is left of both sides."""
        if self.ended.is_set():
            return
        self.dead = True
        for event in (*self.codec.closed(), Event(event="closed")):
            self.relay.record(self._stamped(event))
        for end in self._ends.values():
            end.transport.close()
        self.ended.set()
        self.relay.forget(self)

    # -- passing on

    def _pass(self, side: From, segment: Segment) -> None:
        """Pass a segment on, unless a trap that it springs prevents that."""
        if not segment.events:
            self._write(side, segment.data)
            return
        if (trap := self.relay.traps.due("before", self.relay.service, segment.events)) is not None:
            self._spring(trap)
            if self.dead:
                self._absorb(side, segment)
                return
            if self._holding:
                self._held.appendleft((side, segment))
                return
        self._write(side, segment.data)
        for event in segment.events:
            self.relay.record(self._stamped(event))
        if (trap := self.relay.traps.due("after", self.relay.service, segment.events)) is not None:
            self._spring(trap)

    def _absorb(self, side: From, segment: Segment) -> None:
        """Note the broker's answers to what was passed to it: the subject never saw them, but they are facts."""
        if side == "broker":
            for event in segment.events:
                if event.event == "response":
                    self.relay.record(self._stamped(event))

    def _spring(self, trap: Trap) -> None:
        self.relay.record(self._stamped(Event(event="sprung", message=trap.message, note=trap.describe())))
        self.relay.strike(trap, self)

    def _write(self, side: From, data: bytes) -> None:
        target = self._ends.get("broker" if side == "subject" else "subject")
        if target is not None:
            target.transport.write(data)

    def _stamped(self, event: Event) -> Event:
        return msgspec.structs.replace(
            event, t=self.relay.clock(), service=self.relay.service, link=self.number
        )


class _End(asyncio.Protocol):
    """One of the two connections of a link."""

    transport: asyncio.Transport

    def __init__(self, link: Link, side: From) -> None:
        self._link = link
        self._side = side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream, as both makers give
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link.opened(self._side, self)

    def data_received(self, data: bytes) -> None:
        self._link.received(self._side, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any end is an end
        self._link.lost(self._side)

    def pause_writing(self) -> None:
        self._link.throttle(self._side, full=True)

    def resume_writing(self) -> None:
        self._link.throttle(self._side, full=False)


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

    def _accepted(self, upstream: Address) -> _End:
        self._numbers += 1
        link = Link(self, self._numbers, self._wire.codec(self._numbers))
        self._links[link.number] = link
        self._spawn(self._connect(link, upstream))
        return _End(link, "subject")

    async def _connect(self, link: Link, upstream: Address) -> None:
        try:
            await self._loop.create_connection(lambda: _End(link, "broker"), *upstream)
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
