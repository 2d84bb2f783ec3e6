"""Finds the events that show a promise being broken: the second effect, the settlement without one.

What the promises on outages, poison, order and time need is found in `atleastonce.report.marking`.
"""

from collections import Counter, defaultdict
from functools import cached_property

from atleastonce.effects import compare
from atleastonce.history import Event, History, Observation, Output, queue_name
from atleastonce.report.marking import marked
from atleastonce.report.wording import ordinal
from atleastonce.verdict import Verdict

_SHORTEST_ID = 4
_OUTPUTS = frozenset({"publish", "produce"})
_LOSING = frozenset({"nothing-lost", "backlog-drains", "poison-set-aside", "recovers"})
"""The promises that an effect may be missing from; where the message is blamed, it is."""


class Marks:
    """The marks on the events of one history, for one verdict.

    Which publication became which output is known by order only: the nth publication for a message and a
    queue is its nth output. Where their numbers differ (one was lost on the way), no id is shown, rather than
    a wrong one.
    """

    def __init__(self, history: History, verdict: Verdict) -> None:
        self._history = history
        self._verdict = verdict
        self._seen = history.observed("faulty") or Observation(observed="faulty")
        self._clean = history.observed("clean-1") or Observation(observed="clean-1")
        # By identity: two events may be equal in every field, and are two events all the same.
        self._outputs = self._matched(history.events)
        self._ids = _shortened({each.id for each in self._outputs.values() if each.id})
        self._surplus = self._second_effects()
        self._repeated = set() if self._surplus else self._again(history.events)
        self._marked = marked(history, verdict)
        self._poisons = frozenset(history.header.schedule.poisons)
        self._set_aside = {each.message for each in self._seen.dead_letters}
        self._last_settled = {
            event.message: event for event in history.events if event.settles and event.event != "fetch"
        }

    def short_id(self, event: Event) -> str:
        """Return the first characters of an output's id, or nothing where it is not known."""
        output = self._outputs.get(id(event))
        return self._ids.get(output.id or "", "") if output else ""

    def of_output(self, event: Event) -> str:
        """Return the mark of a publication of the subject."""
        return self._surplus.get(id(event), "")

    def of_delivery(self, event: Event) -> str:
        """Return the mark of a delivery: an effect that no output shows began here."""
        return "takes effect again" if id(event) in self._repeated else ""

    def of_event(self, event: Event) -> str:
        """Return the mark of any event that shows the promise being broken by itself."""
        return self._marked.get(id(event), "")

    def of_settlement(self, event: Event) -> str:
        """Return the mark of a settlement after which something is owed for ever, or which should not be."""
        last = self._last_settled.get(event.message)
        if last is None or not any(self._broken(each, event.message) for each in _LOSING):
            return ""
        answered = last.event == "response" and last.of == event.event
        is_last = last is event or (answered and (last.link, last.copy) == (event.link, event.copy))
        return self._owed(event.message) if is_last else ""

    def of_dead_letter(self, letter: Output, times: int) -> str:
        """Return the mark of what lies in the dead-letter queue so many times."""
        if not self._broken("poison-set-aside", letter.message):
            return ""
        if letter.message not in self._poisons:
            return "no poison"
        return "not as it was sent" if letter.changed else f"{times} times" if times > 1 else ""

    def _owed(self, message: str | None) -> str:
        if self._verdict.promise == "backlog-drains" and message not in self._lacking:
            return "newer ones were served first"
        if self._verdict.promise != "poison-set-aside":
            return "its effect never came"
        if message in self._poisons:
            return "" if message in self._set_aside else "it is set aside nowhere"
        return "no poison, but set aside" if message in self._set_aside else "its effect never came"

    @cached_property
    def _lacking(self) -> set[str | None]:
        """The messages that lack some of their effect; all of them where a total does."""
        before = self._history.observed("before") or Observation(observed="before")
        ignore = self._history.header.declared.get("ignore", ())
        short = [
            each for each in compare(self._clean, self._seen, before.values, ignore) if each.kind != "surplus"
        ]
        named = {each.message for each in short}
        return {*self._verdict.blamed} if None in named else named

    def _broken(self, promise: str, message: str | None) -> bool:
        verdict = self._verdict
        return verdict.promise == promise and verdict.outcome == "broken" and message in verdict.blamed

    def _matched(self, events: tuple[Event, ...]) -> dict[int, Output]:
        published = [event for event in events if event.event in _OUTPUTS and event.side == "subject"]
        named = {each.queue for each in self._seen.outputs}
        by_event: dict[tuple[str | None, str], list[Event]] = defaultdict(list)
        for event in published:
            queue = queue_name(event.queue)
            by_event[event.message, queue if queue in named else ""].append(event)
        by_output: dict[tuple[str | None, str], list[Output]] = defaultdict(list)
        # An exchange's name says nothing about the queue behind it: these are matched by message alone.
        direct = {queue for _, queue in by_event}
        for output in self._seen.outputs:
            by_output[output.message, output.queue if output.queue in direct else ""].append(output)
        return {
            id(event): output
            for key, group in by_event.items()
            if len(group) == len(by_output[key])
            for event, output in zip(group, by_output[key], strict=True)
        }

    def _again(self, events: tuple[Event, ...]) -> set[int]:
        """Return the second and later deliveries of messages that had more than one effect."""
        times: Counter[str | None] = Counter()
        again = set()
        for event in events:
            if event.event in {"deliver", "fetch"} and self._broken("effects-once", event.message):
                times[event.message] += 1
                if times[event.message] > 1:
                    again.add(id(event))
        return again

    def _second_effects(self) -> dict[int, str]:
        """Return the publications that are outputs beyond those of a clean run."""
        allowed = Counter((each.message, each.queue) for each in _distinct(self._clean.outputs))
        marks: dict[int, str] = {}
        known: set[tuple[str, str]] = set()
        counted: Counter[tuple[str | None, str]] = Counter()
        for event, output in self._outputs.items():
            if output.id is not None and (output.queue, output.id) in known:
                continue
            known.add((output.queue, output.id or ""))
            place = (output.message, output.queue)
            counted[place] += 1
            if counted[place] > allowed[place] and self._broken("effects-once", output.message):
                marks[event] = (
                    f"{ordinal(counted[place])} effect" if counted[place] > 1 else "an effect too many"
                )
        return marks


def _distinct(outputs: tuple[Output, ...]) -> list[Output]:
    kept: dict[tuple[str, str | int], Output] = {}
    for index, output in enumerate(outputs):
        kept.setdefault((output.queue, index if output.id is None else output.id), output)
    return list(kept.values())


def _shortened(ids: set[str]) -> dict[str, str]:
    """Return the ids cut so short that they can still be told apart."""
    longest = max(map(len, ids), default=0)
    lengths = (n for n in range(_SHORTEST_ID, longest) if len({each[:n] for each in ids}) == len(ids))
    length = next(lengths, longest)
    return {each: each[:length] for each in ids}
