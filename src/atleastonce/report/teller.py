"""Goes through the events of a history and makes steps of those that a person wants to read.

What belongs together is one step (a publication and its confirm, a kill and its trap), and a publication of
ours comes before its delivery even where its confirm came later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from atleastonce.history import Event, History
from atleastonce.report.marks import Marks
from atleastonce.report.story import Lane, Step
from atleastonce.report.wording import BY_BROKER, DUPLICATE_ALLOWED, fault_words, place, trap_of
from atleastonce.schedule import Schedule, Trap
from atleastonce.verdict import Verdict

_MERGED = frozenset({"publish", "deliver", "fetch", "ack", "commit"})
_ANSWERED = {"publish": "confirm", "produce": "confirm", "commit": "response", "end-txn": "response"}
_FAULTS = frozenset({"sprung", "kill", "cut"})
_OWN = frozenset({"start", "stop", "exited"})


def tell(history: History, verdict: Verdict, rules: Mapping[str, str], messages: set[str]) -> list[Step]:
    """Return the steps of these messages, and every fault with the rule that allows it."""
    return _Teller(history, verdict, rules).tell(messages)


def _in_telling_order(events: Iterable[Event]) -> list[Event]:
    """Put every publication of ours before whatever else happened to its copy."""
    ordered: list[Event] = []
    first: dict[str, int] = {}
    for event in events:
        at = first.get(event.copy or "") if event.event == "published" else None
        if at is None:
            first.setdefault(event.copy or "", len(ordered))
            ordered.append(event)
        else:
            # Recorded when it was confirmed, but told from when it was certainly under way.
            ordered.insert(at, msgspec.structs.replace(event, t=ordered[at].t))
            first = {copy: index + (index >= at) for copy, index in first.items()}
    return ordered


def _joined(steps: Iterable[Step]) -> list[Step]:
    """Make one step of neighbours that differ in their message only."""
    joined: list[Step] = []
    for step in steps:
        last = joined[-1] if joined else None
        alike = last is not None and replace(last, what="", t=0.0) == replace(step, what="", t=0.0)
        if last is not None and alike and step.verb in _MERGED and not step.mark:
            joined[-1] = replace(last, what=f"{last.what}, {step.what}")
        else:
            joined.append(step)
    return joined


class _Teller:
    """Goes through the events of one history once."""

    def __init__(self, history: History, verdict: Verdict, rules: Mapping[str, str]) -> None:
        self._history = history
        self._schedule: Schedule = history.header.schedule
        self._rules = rules
        self._marks = Marks(history, verdict)
        self._delivered: set[str | None] = set()
        self._answered: set[int] = set()

    def tell(self, messages: set[str]) -> list[Step]:
        """Return the steps of these messages, and every fault."""
        told: list[Step] = []
        events = _in_telling_order(self._history.events)
        for index, event in enumerate(events):
            step = None if index in self._answered else self._step(event, index, events)
            about_it = event.message in messages or (event.message is None and event.event in _OWN)
            if step is not None and (about_it or step.kind == "fault"):
                told.append(replace(step, t=event.t))
        return _joined(told)

    def _step(self, event: Event, index: int, events: Sequence[Event]) -> Step | None:
        step: Step | None = None
        match event.event:
            case "published":
                step = self._published(event)
            case "deliver" | "fetch":
                step = self._delivery(event)
            case "publish" | "produce" if event.side == "subject":
                step = self._output(event, self._answer(event, index, events))
            case "ack" | "nack" | "reject" | "commit" | "end-txn" if event.side == "subject":
                step = self._settlement(event, self._answer(event, index, events))
            case "confirm" | "return" | "response":
                step = self._late_answer(event)
            case "sprung":
                step = self._fault(event, trap_of(event, self._schedule))
            case "start" | "stop" | "exited":
                step = self._life(event, index, events)
        return step

    def _answer(self, event: Event, index: int, events: Sequence[Event]) -> Event | None:
        """Return the broker's answer to a request, and take it out, unless a fault came between the two."""
        wanted = _ANSWERED.get(event.event)
        for at in range(index + 1, len(events)):
            other = events[at]
            if wanted is None or (other.event in _FAULTS and other.service == event.service):
                break
            about = other.of == event.event if wanted == "response" else _same_place(other, event)
            alike = other.event == wanted and about and (other.link, other.copy) == (event.link, event.copy)
            if alike and other.message == event.message and at not in self._answered:
                self._answered.add(at)
                return other
        return None

    def _published(self, event: Event) -> Step:
        known = self._schedule.messages.get(event.message or "")
        name = f"{event.message} ({known.id})" if known and known.id else str(event.message)
        where = place(self._where_in(event))
        if not event.ok:
            where += f", not confirmed: {event.note}"
        if _copy_number(event) > 1:
            allowed = f"allowed: {DUPLICATE_ALLOWED}"
            return Step("publish", f"{name} again", "runner", "broker", allowed, kind="again")
        return Step("publish", name, "runner", "broker", f"→ {where}" if where else "")

    def _where_in(self, event: Event) -> Event:
        """Return the delivery of a copy of ours, which names the queue; our own record does not."""
        arrivals = (e for e in self._history.events if e.event in {"deliver", "fetch"})
        return next((e for e in arrivals if e.copy == event.copy), event)

    def _delivery(self, event: Event) -> Step:
        again = event.copy in self._delivered or event.redelivered
        self._delivered.add(event.copy)
        remark = "redelivered" if again else "first delivery"
        if _copy_number(event) > 1:
            remark += f" of copy {_copy_number(event)}"
        mark = self._marks.of_delivery(event)
        return Step(event.event, str(event.message), "broker", "service", remark, mark)

    def _output(self, event: Event, answer: Event | None) -> Step:
        identity = self._marks.short_id(event)
        what = f"output of {event.message}" + (f", id {identity}" if identity else "")
        became = "confirmed" if answer and answer.ok else "refused" if answer else "not confirmed"
        if not event.tag and event.event == "publish" and answer is None:
            became = "without confirms"
        mark = self._marks.of_output(event)
        return Step(event.event, what, remark=f"→ {place(event)}, {became}", mark=mark)

    def _settlement(self, event: Event, answer: Event | None) -> Step:
        remark = ""
        if event.event in {"nack", "reject"}:
            remark = "back to the queue" if event.requeue else "not to come again"
        elif event.event in _ANSWERED:
            remark = (
                "done" if answer and answer.ok else f"refused: {answer.note}" if answer else "not answered"
            )
        if event.event == "commit":
            remark = f"offset {event.offset}, {remark}"
        elif _copy_number(event) > 1:
            remark = ", ".join(filter(None, (f"of copy {_copy_number(event)}", remark)))
        what = str(event.message) + (f" ({event.note})" if event.event == "end-txn" else "")
        return Step(event.event, what, remark=remark, mark=self._marks.of_settlement(event))

    def _late_answer(self, event: Event) -> Step:
        """Tell an answer by itself: a fault came between it and its question, or nobody asked."""
        what = f"output of {event.message}" if event.event != "response" else f"{event.of} of {event.message}"
        remark = "done, after the fault" if event.event == "response" else ""
        if event.event == "return" or not event.ok:
            remark = f"{'refused: ' if event.event != 'return' else ''}{event.note}"
        return Step(event.event, what, "broker", "service", remark)

    def _fault(self, event: Event, trap: Trap | None) -> Step:
        if trap is None:
            return Step("fault", event.note, "broker", "service", kind="fault")
        rule = self._rules.get(trap.do, "")
        source: Lane = "broker" if trap.event in BY_BROKER else "service"
        return Step(
            verb=trap.do,
            what=fault_words(trap),
            source=source,
            target="service" if source == "broker" else "broker",
            remark=f"allowed: {rule}" if rule else "",
            kind="fault",
            lost=f"{trap.event} {trap.message}" if trap.when == "before" else "",
        )

    def _life(self, event: Event, index: int, events: Sequence[Event]) -> Step:
        remark = event.note
        if event.event == "start":
            ready = (e for e in events[index:] if e.event == "ready" and e.service == event.service)
            remark = next((f"ready {e.note}" if e.ok else "not ready in time" for e in ready), "")
        source: Lane = "service" if event.event == "exited" else "runner"
        return Step(event.event, event.service, source, "service", remark)


def _same_place(one: Event, other: Event) -> bool:
    return (one.channel, one.tag, one.queue, one.partition) == (
        other.channel,
        other.tag,
        other.queue,
        other.partition,
    )


def _copy_number(event: Event) -> int:
    """Return which publication of its message an event is about; the first where nothing says otherwise."""
    number = (event.copy or "").rpartition("#")[2]
    return int(number) if number.isdecimal() else 1
