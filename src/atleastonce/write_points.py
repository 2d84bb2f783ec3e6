"""Write points: traps that strike at a system call of a service, while it handles one message.

The relay holds the message until the service is traced. Each trap that waits so has a thread of its own, since the
service stands still, and must not stand longer than needed, while the fault strikes.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from atleastonce.errors import ServiceError
from atleastonce.faults import FAULTS
from atleastonce.faults.scene import Scene
from atleastonce.history import Event
from atleastonce.part import Part
from atleastonce.recording import Record
from atleastonce.relay.loop import Loop
from atleastonce.relay.traps import Traps
from atleastonce.schedule import Trap
from atleastonce.subjects.tracing import Call, Tracer

_STRIKES_WITHIN = 10.0


class WritePoints:
    """Those of the case that runs now in one lane."""

    def __init__(self, loop: Loop, traps: Traps, record: Record, environment: Mapping[str, str]) -> None:
        self._loop = loop
        self._traps = traps
        self._record = record
        self._environment = environment
        self._watches: list[_Watch] = []

    def watch(self, trap: Trap, scene: Scene, part: Part) -> None:
        """Hold the link on which a message comes, and let it go on once the service is traced; on the loop."""
        scene.link.hold()
        watch = _Watch(trap, scene, part, self)
        self._watches.append(watch)
        watch.thread.start()

    def end(self) -> None:
        """Let go of every service, and return when no trap can strike any more; not on the loop."""
        watches, self._watches = self._watches, []
        for watch in watches:
            watch.end()

    # -- for a watch

    def trace(self, trap: Trap, part: Part) -> Tracer:
        """Start to trace a service."""
        return Tracer(trap.nth, part.subject.session, self._environment)

    def note(self, event: str, trap: Trap, part: Part, *, ok: bool = True, note: str = "") -> None:
        """Record something about a trap."""
        t = self._record.clock()
        self._record.add(Event(event=event, t=t, service=part.name, message=trap.during, ok=ok, note=note))

    def note_call(self, call: Call, thread: int, trap: Trap, part: Part) -> None:
        """Record a system call."""
        self._record.add(
            Event(
                event="write",
                t=self._record.clock(),
                side="subject",
                service=part.name,
                message=trap.during,
                size=call.number,
                tag=thread,
                note=call.what,
            )
        )

    def release(self, scene: Scene) -> None:
        """Let the message go on."""
        self._loop.call(scene.link.release)

    def strike(self, trap: Trap, scene: Scene, part: Part) -> None:
        """Let the fault strike, once the relay has passed what the service had sent."""

        async def struck() -> None:
            for relay in part.relays:
                await relay.drained()
            self._traps.spring(trap)
            self.note("sprung", trap, part, note=trap.describe())
            FAULTS[trap.do].strike(scene)

        self._loop.run(struck(), _STRIKES_WITHIN)


@dataclass
class _Watch:
    """One trap that waits for its system call."""

    trap: Trap
    scene: Scene
    part: Part
    points: WritePoints
    thread: threading.Thread = field(init=False)
    _tracer: Tracer | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._watch, name=f"write points of {self.part.name}")

    def end(self) -> None:
        """Let go of the service; returns when the trap cannot strike any more."""
        with self._lock:
            self._over = True
            if self._tracer is not None:
                self._tracer.close()
        self.thread.join()

    def _watch(self) -> None:
        try:
            with self.points.trace(self.trap, self.part) as tracer:
                with self._lock:
                    self._tracer = tracer
                    if self._over:
                        tracer.close()
                try:
                    tracer.await_attached()
                finally:
                    self.points.release(self.scene)
                self._follow(tracer)
        except (ServiceError, TimeoutError, OSError) as exc:
            if not self._over:
                self.points.note("untraced", self.trap, self.part, ok=False, note=str(exc))

    def _follow(self, tracer: Tracer) -> None:
        """Record every call, and strike at the last; what is paused goes on when the tracer is closed."""
        threads: dict[int, int] = {}
        for call in tracer.calls():
            number = threads.setdefault(call.thread, len(threads) + 1)
            self.points.note_call(call, number, self.trap, self.part)
            if call.hit:
                self.points.strike(self.trap, self.scene, self.part)
                if self.trap.do != "pause":
                    return
