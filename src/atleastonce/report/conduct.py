"""Tells what the runner did and found, as steps: outages, cuts, questions, depths; no protocol event."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from atleastonce.history import Event, History, queue_name
from atleastonce.report.rows import counted
from atleastonce.report.story import Lane, Step
from atleastonce.report.strikes import strikes
from atleastonce.report.wording import allowed, copy_number, introduced, named, succeeded
from atleastonce.schedule import BURST, Schedule, way_in_words

OF_NO_MESSAGE = frozenset({
    "start", "stop", "exit", "exited", "cut", "isolated", "mended", "health", "depth", "looped",
    "broker-restarted", "unrouted", "rerouted", "waited", "varied", "rewound", "forgotten",
    "rebalanced",
})  # fmt: skip
"""What is told whichever messages a story is about."""


class Conduct:
    """Makes steps of the runner's own events in one history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._asked: set[str | None] = set()
        self._bursts = _bursts(history.header.schedule)
        self._waits = (each.target for each in history.header.schedule.actions if each.verb == "wait")

    def step(self, event: Event) -> Step | None:
        """Return the step of an event, or None where it is not the runner's or says nothing new."""
        tells: Mapping[str, Callable[[Event], Step | None]] = {
            "asked": self._asking,
            "declined": _declined,
            "start": self._start,
            "stop": self._stop,
            "exit": self._exit,
            "exited": self._exit,
            "cut": self._cut,
            "isolated": self._isolated,
            "mended": self._mended,
            "health": _health,
            "depth": self._depth,
            "broker-restarted": _restarted,
            "unrouted": _unrouted,
            "rerouted": _rerouted,
            "waited": self._waited,
            "rewound": _rewound,
            "forgotten": _forgotten,
            "passed-over": _passed_over,
            "rebalanced": _rebalanced,
            "aborted": _aborted,
            "looped": self._looped,
            "varied": self._varied,
        }
        return tells[event.event](event) if event.event in tells else None

    def _asking(self, event: Event) -> Step:
        answer = f"answered {event.size}" if event.size else event.note or "no answer"
        what = introduced(event.message, self._history.header)
        repeated = event.copy in self._asked
        self._asked.add(event.copy)
        if not repeated and copy_number(event) == 1:
            return Step("ask", what, "runner", "service", answer)
        if repeated:
            remark = f"{answer}; {allowed('ask')}"
        elif event.copy in self._bursts:
            remark = f"at the same time, {answer}; {allowed('burst')}"
        else:
            remark = f"{answer}; {allowed('ask again')}"
        return Step("ask", f"{what} again", "runner", "service", f"the same request, {remark}", kind="again")

    def _start(self, event: Event) -> Step:
        # By identity: two events may be equal in every field, and are two events all the same.
        events = self._history.events
        at = next((n for n, each in enumerate(events) if each is event), 0)
        ready = (e for e in events[at:] if e.event == "ready" and e.service == event.service)
        remark = next((f"ready {e.note}" if e.ok else "not ready in time" for e in ready), "")
        return Step("start", event.service, "runner", "service", remark)

    def _stop(self, event: Event) -> Step | None:
        if id(event) not in self._strikes:
            return None
        return _fault(f"{event.service or 'service'} stopped", "stop", "runner", "service")

    def _exit(self, event: Event) -> Step:
        return Step(event.event, event.service, "service", "service", event.note)

    def _cut(self, event: Event) -> Step | None:
        if id(event) not in self._strikes:
            return None
        return self._fault(f"every link of {event.service or 'the service'} cut", "cut")

    def _isolated(self, event: Event) -> Step:
        links = f", {counted(event.size, 'link')} cut" if event.size else ""
        reach = "the services that it asks" if self._over_http else "the broker"
        return self._fault(f"{event.service} cut off from {reach}{links}", "isolate")

    def _mended(self, event: Event) -> Step:
        reach = "the other services" if self._over_http else "the broker"
        return Step("mend", event.service, "runner", "service", f"it can reach {reach} again")

    def _fault(self, what: str, rule: str) -> Step:
        if not self._over_http:
            return _fault(what, rule, "broker", "service")
        # What follows the semicolon is about messages of a broker.
        return Step(rule, what, "service", "service", allowed(rule).partition(";")[0], kind="fault")

    @property
    def _over_http(self) -> bool:
        return self._history.header.broker == "http"

    def _depth(self, event: Event) -> Step | None:
        remark = self._depths.get(id(event))
        return Step("depth", queue_name(event.queue), "broker", "broker", remark) if remark else None

    def _waited(self, event: Event) -> Step:
        return _fault(f"{event.note or next(self._waits, 'some time')} passed", "wait", "runner", "broker")

    def _varied(self, event: Event) -> Step:
        how = way_in_words(self._history.header.schedule.replays)
        return Step("again", "the whole log", "broker", "service", f"{how}: {event.note}", kind="again")

    def _looped(self, event: Event) -> Step:
        what = named(event.message, self._history.header.schedule) if event.message else event.service
        return Step("loop", what, "service", "service", f"{event.note}; given up")

    @cached_property
    def _strikes(self) -> frozenset[int]:
        return frozenset(id(event) for event in strikes(self._history))

    @cached_property
    def _depths(self) -> dict[int, str]:
        by_queue: dict[str, list[Event]] = {}
        for event in self._history.events:
            if event.event == "depth":
                by_queue.setdefault(event.queue, []).append(event)
        return {id(event): text for each in by_queue.values() for event, text in _turns(each)}


def _turns(depths: Sequence[Event]) -> Iterator[tuple[Event, str]]:
    """Yield where the depth of one queue was the greatest, where it then came to nothing, or did not."""
    most = max(depths, key=lambda event: event.size)
    if not most.size:
        return
    wait = "wait" if most.size > 1 else "waits"
    yield most, f"{counted(most.size, 'message')} {wait}"
    later = depths[next(n for n, each in enumerate(depths) if each is most) + 1 :]
    empty = next((event for event in later if not event.size), None)
    if empty is not None:
        yield empty, f"nothing waits, {empty.t - most.t:.1f} s later"
    if depths[-1].size and depths[-1] is not most:
        yield depths[-1], f"still {depths[-1].size}, {depths[-1].t - most.t:.1f} s later"


def _fault(what: str, rule: str, source: Lane, target: Lane) -> Step:
    return Step(rule, what, source, target, allowed(rule), kind="fault")


def _health(event: Event) -> Step:
    fine = "" if succeeded(event.size) else "unhealthy: "
    answer = f"{fine}answers {event.size}" if event.size else "unhealthy: no answer"
    return Step("health", event.service, "service", "runner", answer)


def _bursts(schedule: Schedule) -> set[str]:
    """Return the copies that were sent at the same time as the first of their burst."""
    found: set[str] = set()
    copies: Counter[str] = Counter()
    for action in schedule.actions:
        copies[action.target] += BURST if action.verb == "burst" else action.verb == "publish"
        if action.verb == "burst":
            last = copies[action.target]
            found |= {f"{action.target}#{number}" for number in range(last - BURST + 2, last + 1)}
    return found


def _declined(event: Event) -> Step:
    return Step("decline", str(event.message), "service", "runner", f"answered {event.size} for good")


def _restarted(_: Event) -> Step:
    return _fault("broker restarted", "restart", "runner", "broker")


def _unrouted(event: Event) -> Step:
    return _fault(f"queue {queue_name(event.queue)} deleted with its bindings", "unroute", "runner", "broker")


def _rerouted(event: Event) -> Step:
    return Step("reroute", queue_name(event.queue), "runner", "broker", "made again with its bindings")


def _rewound(event: Event) -> Step:
    return _fault(f"the offsets of {event.service} moved back", "rewind", "runner", "broker")


def _forgotten(event: Event) -> Step:
    return _fault(f"the offsets of {event.service} lost", "forget", "runner", "broker")


def _passed_over(event: Event) -> Step:
    note = event.note or "its group has committed a later offset"
    return Step("passed" if event.partition >= 0 else "gone", str(event.message), "service", "service", note)


def _rebalanced(event: Event) -> Step:
    what = f"the group of {event.service}"
    said = f"{what}: {event.note}" if event.note else f"a second member joined {what}, and left"
    return _fault(said, "rebalance", "runner", "broker")


def _aborted(event: Event) -> Step:
    return _fault(f"{event.message} sent, and aborted", "abort", "runner", "broker")
