"""Goes through the events of a history and makes steps of those that a person wants to read.

What belongs together is one step (a publication and its confirm, a kill and its trap), and a publication of
ours comes before its delivery even where its confirm came later. What the runner did is told in `conduct`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from atleastonce.history import Event, History, Output, queue_name
from atleastonce.report.conduct import OF_NO_MESSAGE, Conduct
from atleastonce.report.folding import Told, folded, joined
from atleastonce.report.marks import Marks
from atleastonce.report.story import Lane, Step
from atleastonce.report.wording import (
    BY_BROKER,
    allowed,
    copy_number,
    fault_words,
    introduced,
    named,
    ordinal,
    place,
    trap_of,
)
from atleastonce.schedule import Schedule, Trap
from atleastonce.verdict import Verdict

_ANSWERED = {
    "publish": "confirm",
    "produce": "confirm",
    "commit": "response",
    "end-txn": "response",
    "tx-commit": "tx-commit-ok",
    "request": "response",
}
_FAULTS = frozenset({"sprung", "kill", "cut"})


def tell(history: History, verdict: Verdict, rules: Mapping[str, str], messages: set[str]) -> list[Step]:
    """Return the steps of these messages, and every fault with the rule that allows it."""
    return _Teller(history, verdict, rules).tell(messages)


def services(history: History) -> tuple[str, ...]:
    """Return the services that took part, in the order of the contract: each instance is one."""
    known = history.header.services
    told = (event for event in history.events if event.event != "entered")  # of which a request of ours tells
    seen = dict.fromkeys(name for event in told for name in (event.service, event.to) if name)
    return tuple(sorted(seen, key=lambda name: _place_of(name, known))) or known


def _place_of(name: str, known: Sequence[str]) -> int:
    """Return the place of a service in the contract; ``inventory-2`` is an instance of ``inventory``."""
    return next(
        (n for n, each in enumerate(known) if name == each or name.startswith(f"{each}-")), len(known)
    )


def _in_telling_order(events: Iterable[Event]) -> list[tuple[Event, float]]:
    """Put every publication and request of ours before whatever else happened to its copy, at that time."""
    ordered: list[tuple[Event, float]] = []
    first: dict[str, int] = {}
    for event in events:
        # What services ask each other carries no copy of ours: it is told behind our request for its message.
        copy = (event.message if event.to else event.copy) or ""
        found = (first.get(each) for each in (copy, event.message or ""))
        at = min((n for n in found if n is not None), default=None)
        if event.event not in {"published", "asked"}:
            at = None
        if at is None:
            if event.event != "asked":
                first.setdefault(copy, len(ordered))
            ordered.append((event, event.t))
        else:
            # Recorded when it was confirmed, but told from when it was certainly under way.
            ordered.insert(at, (event, ordered[at][1]))
            first = {each: index + (index >= at) for each, index in first.items()}
        if event.event == "asked":
            # Its next request begins with what happens from now on.
            first.pop(copy, None)
            first.pop(event.message or "", None)
    return ordered


class _Teller:
    """Goes through the events of one history once."""

    def __init__(self, history: History, verdict: Verdict, rules: Mapping[str, str]) -> None:
        self._history = history
        self._schedule: Schedule = history.header.schedule
        self._rules = rules
        self._marks = Marks(history, verdict)
        self._conduct = Conduct(history)
        self._several = len(services(history)) > 1
        self._delivered: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        self._answered: set[int] = set()
        self._struck: set[tuple[str, int]] = set()
        self._by_http = {event.copy for event in history.events if event.event == "asked"}

    def tell(self, messages: set[str]) -> list[Step]:
        """Return the steps of these messages, and every fault."""
        told: list[Told] = []
        ordered = _in_telling_order(self._history.events)
        events = [event for event, _ in ordered]
        for index, (event, t) in enumerate(ordered):
            step = None if index in self._answered else self._step(event, index, events)
            about_it = event.message in messages or event.event in OF_NO_MESSAGE
            if step is not None and (about_it or step.kind == "fault"):
                mark = step.mark or self._marks.of_event(event)
                told.append((event, replace(step, t=t, mark=mark, service=event.service, to=event.to)))
        steps = folded(told, {each: named(each, self._schedule) for each in messages})
        return [*joined(steps), *self._dead_letters(messages)]

    def _step(self, event: Event, index: int, events: Sequence[Event]) -> Step | None:
        step: Step | None = None
        match event.event:
            case "published":
                step = self._published(event)
            case "deliver" | "fetch":
                step = self._delivery(event)
            case "publish" | "produce" if event.side == "subject":
                step = self._output(event, self._answer(event, index, events))
            case "ack" | "nack" | "reject" | "commit" | "end-txn" | "tx-commit" if event.side == "subject":
                step = self._settlement(event, self._answer(event, index, events))
            case "request":
                step = self._request(event, self._answer(event, index, events))
            case "response" if event.to:
                lost = ", which never arrived" if _link(event)[:2] in self._struck else ""
                remark = f"answered {event.size}{lost}"
                step = Step("response", f"{event.message} {event.queue}", "callee", "service", remark)
            case "confirm" | "return" | "response" | "tx-commit-ok":
                step = self._late_answer(event)
            case "sprung":
                self._struck.add(_link(event)[:2])
                step = self._fault(event, trap_of(event, self._schedule))
            case _:
                step = self._conduct.step(event)
        return step

    def _dead_letters(self, messages: set[str]) -> Iterator[Step]:
        """Yield what was found in the dead-letter queue at the end, one step for what is there twice."""
        seen = self._history.observed("faulty")
        letters: dict[tuple[str | None, str, tuple[str, ...]], list[Output]] = {}
        for letter in seen.dead_letters if seen else ():
            if letter.message is None or letter.message in messages:
                letters.setdefault((letter.message, letter.queue, letter.changed), []).append(letter)
        for (message, queue, changed), same in letters.items():
            what = named(message, self._schedule) if message else "a message that tells no name"
            state = (
                f"changed or lost: {', '.join(changed)}" if changed else "as it was sent" if message else ""
            )
            times = f"{len(same)} times" if len(same) > 1 else ""
            remark = ", ".join(filter(None, (f"in {queue_name(queue)}", times, state)))
            mark = self._marks.of_dead_letter(same[0], len(same))
            yield Step("set aside", what, "broker", "broker", remark, mark, t=seen.at if seen else 0.0)

    def _answer(self, event: Event, index: int, events: Sequence[Event]) -> Event | None:
        """Return the broker's answer to a request, and take it out, unless a fault came between the two."""
        wanted = _ANSWERED.get(event.event)
        for at in range(index + 1, len(events)):
            other = events[at]
            if wanted is None or (other.event in _FAULTS and other.service == event.service):
                break
            about = other.of == event.event if wanted == "response" else _same_place(other, event)
            alike = other.event == wanted and about and _link(other) == _link(event)
            if alike and other.message == event.message and at not in self._answered:
                self._answered.add(at)
                return other
        return None

    def _published(self, event: Event) -> Step | None:
        if event.copy in self._by_http:
            return None  # the request that it came of is told
        name = introduced(event.message, self._history.header)
        where = place(self._where_in(event))
        if not event.ok:
            where += f", not confirmed: {event.note}"
        if copy_number(event) > 1:
            return Step("publish", f"{name} again", "runner", "broker", allowed("duplicate"), kind="again")
        if event.message in self._schedule.poisons:
            return Step("publish", name, "runner", "broker", allowed("poison"), kind="again")
        return Step("publish", name, "runner", "broker", f"→ {where}" if where else "")

    def _where_in(self, event: Event) -> Event:
        """Return the delivery of a copy of ours, which names the queue; our own record does not."""
        arrivals = (e for e in self._history.events if e.event in {"deliver", "fetch"})
        return next((e for e in arrivals if e.copy == event.copy), event)

    def _delivery(self, event: Event) -> Step:
        at = _place_of(event.service, self._history.header.services)
        # What carries no copy of ours, such as an output that a chain passes on, may be another one each time.
        queues = self._delivered[at, event.copy] if event.copy else set()
        remark = "redelivered" if event.redelivered or event.queue in queues else "first delivery"
        if queues - {event.queue}:
            remark += f" out of {event.queue}"
        queues.add(event.queue)
        if copy_number(event) > 1:
            remark += f" of copy {copy_number(event)}"
        mark = self._marks.of_delivery(event)
        return Step(event.event, named(event.message, self._schedule), "broker", "service", remark, mark)

    def _output(self, event: Event, answer: Event | None) -> Step:
        identity = self._marks.short_id(event)
        what = f"output of {event.message}" + (f", id {identity}" if identity else "")
        became = "confirmed" if answer and answer.ok else "refused" if answer else "not confirmed"
        if not event.tag and event.event == "publish" and answer is None:
            became = "without confirms"
        mark = self._marks.of_output(event)
        return Step(event.event, what, remark=f"→ {place(event)}, {became}", mark=mark)

    def _settlement(self, event: Event, answer: Event | None) -> Step:
        remark = event.note if event.event == "ack" else ""
        if event.event in {"nack", "reject"}:
            remark = "back to the queue" if event.requeue else "not to come again"
        elif event.event in _ANSWERED:
            remark = (
                "done" if answer and answer.ok else f"refused: {answer.note}" if answer else "not answered"
            )
        if event.event == "commit":
            remark = f"offset {event.offset}, {remark}"
        elif copy_number(event) > 1:
            remark = ", ".join(filter(None, (f"of copy {copy_number(event)}", remark)))
        what = named(event.message, self._schedule) + (f" ({event.note})" if event.event == "end-txn" else "")
        return Step(event.event, what, remark=remark, mark=self._marks.of_settlement(event))

    def _request(self, event: Event, answer: Event | None) -> Step | None:
        if answer is None and not event.ok:
            return None  # the fault that kept it back tells of it
        what = f"{event.message} {event.queue}"
        remark = f"answered {answer.size}" if answer else "not answered"
        if not event.ok:
            remark += ", and never arrived"
        return Step("request", what, "service", "callee", f"→ {event.to}, {remark}")

    def _late_answer(self, event: Event) -> Step:
        """Tell an answer by itself: a fault came between it and its question, or nobody asked."""
        of = {"response": event.of, "tx-commit-ok": "tx-commit"}.get(event.event, "")
        what = f"{of or 'output'} of {event.message}"
        remark = "done, after the fault" if of else ""
        if event.event == "return" or not event.ok:
            remark = f"{'refused: ' if event.event != 'return' else ''}{event.note}"
        return Step(event.event, what, "broker", "service", remark)

    def _fault(self, event: Event, trap: Trap | None) -> Step:
        if trap is None:
            return Step("fault", event.note, "broker", "service", kind="fault")
        rule = self._rules.get(trap.do, "")
        other: Lane = "callee" if event.to else "broker"
        if event.to:
            rule = rule.partition(";")[0]  # what follows is about messages of a broker
        source: Lane = other if trap.event in BY_BROKER else "service"
        return Step(
            verb=trap.do,
            what=fault_words(trap, event, several=self._several, call=self._call(event, trap)),
            source=source,
            target="service" if source == other or trap.is_write else other,
            remark=f"allowed: {rule}" if rule else "",
            kind="fault",
            lost=f"{trap.event} {trap.message}".strip() if trap.when == "before" else "",
        )

    def _call(self, event: Event, trap: Trap) -> str:
        """Return the system call at which a write point struck, and by which thread where several made some."""
        if not trap.is_write:
            return ""
        mine = (event.service, trap.during)
        calls = [e for e in self._history.events if e.event == "write" and (e.service, e.message) == mine]
        threads = max((each.tag for each in calls), default=0)
        struck = next((each for each in calls if each.size == trap.nth), None)
        if struck is None or threads == 1:
            return struck.note if struck else ""
        return f"{struck.note}, by the {ordinal(struck.tag)} of {threads} threads that write"


def _link(event: Event) -> tuple[str, int, str | None]:
    return event.service, event.link, event.copy


def _same_place(one: Event, other: Event) -> bool:
    return (one.channel, one.tag, one.queue, one.partition) == (
        other.channel,
        other.tag,
        other.queue,
        other.partition,
    )
