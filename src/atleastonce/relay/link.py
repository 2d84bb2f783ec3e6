"""One connection of the subject with the one to the broker behind it: whole frames pass, or are held or lost."""

import asyncio
import fcntl
import socket
import sys
import termios
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from atleastonce.history import Event
from atleastonce.relay.codec import Codec, From, Segment
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap, When


class Recorder(Protocol):
    """What takes events that happened, together or one after the other."""

    def __call__(self, *events: Event) -> None:
        """Take events in the order in which they happened."""


class Keeper(Protocol):
    """What a link needs of the relay that it belongs to."""

    service: str
    to: str
    traps: Traps
    record: Recorder
    strike: Callable[[Trap, "Link"], None]
    clock: Callable[[], float]

    def forget(self, link: "Link") -> None:
        """Drop a link that has ended."""


class Link:
    """One connection of the subject, and the one to the broker behind it."""

    def __init__(self, relay: Keeper, number: int, codec: Codec) -> None:
        self.relay = relay
        self.number = number
        self.codec = codec
        self.dead = False
        self.ended = asyncio.Event()
        self._holding = False
        self._refusing = False
        self._limit: asyncio.TimerHandle | None = None
        self._held: deque[_Held] = deque()
        self._passing: list[Segment] = []
        self._ends: dict[From, End] = {}
        self._early = bytearray()

    # -- what a fault may do to it, on the relay's loop

    def cut(self) -> None:
        """End both sides at once, as a broken network does; what was passed to the broker still arrives."""
        self._note(Event(event="cut"))
        self.dead = True
        for side, end in self._ends.items():
            if side == "subject":
                end.transport.abort()
            else:
                end.transport.close()

    def unreached(self) -> None:
        """Note that nobody took the connection, and end it: the subject sees a broker that is not there."""
        self._note(Event(event="unreached"))
        self.end()

    def refuse(self) -> None:
        """Reset a connection that is just being taken: what a subject sees of a broker out of its reach."""
        self.dead = True
        if self.relay.to:
            self._note(Event(event="unreached"))
        self.ended.set()
        self.relay.forget(self)

    def hold(self, at_most: float | None = None) -> None:
        """Keep back everything, in both directions, from the frame that is due now on.

        After `at_most` seconds the link is cut, unless it has ended before.
        """
        self._holding = True
        if at_most is not None:
            self._limit = asyncio.get_running_loop().call_later(at_most, self._give_up)

    def fail(self) -> None:
        """Answer the request that is due now, in place of the other end; cut where that cannot be done."""
        self._refusing = True

    def release(self) -> None:
        """Pass on what was held, and go on."""
        self._holding = False
        while self._held and not self._holding and not self.dead:
            held = self._held.popleft()
            self._pass(held.side, held.segment, asked=held.asked)
            self._flush(held.side)

    # -- called by its two ends

    def opened(self, side: From, end: "End") -> None:
        """Take one end into use; what the subject sent before the broker was reached goes out now.

        A link may be refused, or have ended, before its ends are there: whoever comes then is not kept waiting.
        """
        if self.ended.is_set():
            end.transport.abort()
            return
        self._ends[side] = end
        if side == "broker":
            early, self._early = bytes(self._early), bytearray()
            self._note(Event(event="open"))
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
                self._held.append(_Held(side, segment))
            else:
                self._pass(side, segment)
        self._flush(side)
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
        for held in self._held:
            if held.side == "subject":
                self._not_passed(held.segment)
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
        self._note(*self.codec.closed(), Event(event="closed"))
        for end in self._ends.values():
            end.transport.close()
        if self._limit is not None:
            self._limit.cancel()
        self.ended.set()
        self.relay.forget(self)

    # -- passing on

    def _pass(self, side: From, segment: Segment, *, asked: bool = False) -> None:
        """Pass a segment on, unless a trap that it springs prevents that; `asked`: the traps before it were.

        It leaves with the next `_flush`, which comes before any trap springs: a fault finds everything before it
        passed and recorded, and nothing behind it.
        """
        if not segment.events or not self.relay.traps.armed:
            self._passing.append(segment)
            return
        trap = None if asked else self._due("before", segment)
        if trap is not None:
            self._flush(side)
            self._spring(trap)
            if self._refusing:
                self._refuse(side, segment)
                return
            if self.dead:
                self._absorb(side, segment)
                return
            if self._holding:
                self._held.appendleft(_Held(side, segment, asked=True))
                return
        self._passing.append(segment)
        if (trap := self._due("after", segment)) is not None:
            self._flush(side)
            self._spring(trap)

    def _flush(self, side: From) -> None:
        """Write what is to pass from this side, at once, and record what passed."""
        if not self._passing:
            return
        passing, self._passing = self._passing, []
        target = self._ends.get("broker" if side == "subject" else "subject")
        if target is not None:
            target.transport.write(b"".join(segment.data for segment in passing))
        self._note(*(event for segment in passing for event in segment.events))

    def _due(self, when: When, segment: Segment) -> Trap | None:
        return self.relay.traps.due(when, self.relay.service, segment.events, self.relay.to)

    def _refuse(self, side: From, segment: Segment) -> None:
        """Answer a segment in place of the other end."""
        self._refusing = False
        answer = self._not_passed(segment)
        if answer is None:
            self.cut()
            return
        self._ends[side].transport.write(answer.data)
        self._note(*answer.events)

    def _not_passed(self, segment: Segment) -> Segment | None:
        """Note what a service asked of another one, though it was not passed on: it was an attempt.

        Return what might be answered to it.
        """
        for event in segment.events:
            if event.event == "request":
                self._note(replace(event, ok=False))
        return segment.refuse() if segment.refuse is not None else None

    def _give_up(self) -> None:
        if self._holding and not self.dead:
            self.cut()

    def _absorb(self, side: From, segment: Segment) -> None:
        """Note the broker's answers to what was passed to it: the subject never saw them, but they are facts."""
        if side == "subject":
            self._not_passed(segment)
        else:
            for event in segment.events:
                if event.event == "response":
                    self._note(event)
                elif event.event == "deliver" and event.settles:  # by itself: the broker has forgotten it
                    self._note(replace(event, event="response", of="deliver"))

    def _spring(self, trap: Trap) -> None:
        if trap.later:
            loop = asyncio.get_running_loop()
            loop.call_later(trap.delay, self._spring_late, trap, self.relay.traps.times)
            return
        self._strike(trap)

    def _spring_late(self, trap: Trap, times: int) -> None:
        if self.relay.traps.times == times:  # or its case is over
            self.relay.traps.spring(trap)
            self._strike(trap)

    def _strike(self, trap: Trap) -> None:
        if not trap.is_write:
            self._note(Event(event="sprung", message=trap.about or None, note=trap.describe()))
        self.relay.strike(trap, self)

    def unread(self) -> int:
        """Return how many bytes the subject has sent that were not read yet."""
        end = self._ends.get("subject")
        sock = end.transport.get_extra_info("socket") if end is not None else None
        if self.dead or end is None or sock is None or not end.transport.is_reading():
            return 0
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)

    def _note(self, *events: Event) -> None:
        """Record what has just happened on this link; what passed together did so at one time."""
        if events:
            relay, now = self.relay, self.relay.clock()
            relay.record(
                *(
                    replace(event, t=now, service=relay.service, to=relay.to, link=self.number)
                    for event in events
                )
            )


class _Held(NamedTuple):
    """A segment that was kept back, and whether the traps before it were asked already."""

    side: From
    segment: Segment
    asked: bool = False


class End(asyncio.Protocol):
    """One of the two connections of a link."""

    transport: asyncio.Transport

    def __init__(self, link: Link, side: From) -> None:
        self._link = link
        self._side = side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        self.transport = transport  # type: ignore[assignment]  # a stream, as both makers give
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._link.opened(self._side, self)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the link."""
        self._link.received(self._side, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any end is an end
        """Tell the link that this side is gone."""
        self._link.lost(self._side)

    def pause_writing(self) -> None:
        """Have the other side read no further."""
        self._link.throttle(self._side, full=True)

    def resume_writing(self) -> None:
        """Have the other side read on."""
        self._link.throttle(self._side, full=False)
