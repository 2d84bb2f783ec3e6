"""Finds the step that shows a promise on outages, poison, order or time being broken: a function per promise.

A mark helps to read a story; it accuses nobody. Where none fits, the story stands without one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from atleastonce.attempts import Series, series
from atleastonce.history import Event, History
from atleastonce.report.strikes import strikes
from atleastonce.report.wording import ordinal, succeeded
from atleastonce.verdict import Verdict

Mark = tuple[Event, str]
_DELIVERIES = frozenset({"deliver", "fetch"})
_OUTPUTS = frozenset({"publish", "produce"})
_PAUSES = frozenset({"stop", "waited", "unrouted", "rewound", "forgotten"})
"""Faults after which a service need not recover from anything."""


def marked(history: History, verdict: Verdict) -> dict[int, str]:
    """Return the marks for a verdict by the identity of their events; none where nothing is broken."""
    find = _FINDERS.get(verdict.promise)
    if find is None or verdict.outcome != "broken":
        return {}
    return {id(event): text for event, text in find(history, verdict)}


def _promised(history: History, promise: str) -> dict[str, Any]:
    return dict(history.header.declared.get("promised", {}).get(promise, {}))


def _deliveries(history: History, verdict: Verdict) -> Iterator[Sequence[Event]]:
    """Yield the deliveries of each copy of the blamed messages."""
    told = [e for e in history.events if e.event in _DELIVERIES and e.message in verdict.blamed]
    for _, group in groupby(sorted(told, key=lambda e: (e.copy or "", e.t)), key=lambda e: e.copy):
        yield list(group)


def _poison(history: History, verdict: Verdict) -> Iterator[Mark]:
    """Yield where it loops, else the attempt that is one too many."""
    if looped := [event for event in history.events if event.event == "looped"]:
        yield looped[-1], "it is never set aside"
        return
    attempts = int(_promised(history, "poison-set-aside").get("attempts", 0))
    for deliveries in _deliveries(history, verdict):
        if attempts and len(deliveries) > attempts:
            yield deliveries[attempts], f"{ordinal(attempts + 1)} attempt, {attempts} promised"


def _drains(history: History, _: Verdict) -> Iterator[Mark]:
    """Yield what still waits at the end, else the start after which nothing happened to it."""
    last = {event.queue: event for event in history.events if event.event == "depth"}
    waiting = [event for event in last.values() if event.size]
    yield from ((event, "never drained") for event in waiting)
    starts = [event for event in history.events if event.event == "start"]
    settled = any(event.settles and event.t > starts[-1].t for event in history.events) if starts else True
    if not waiting and not settled:
        yield starts[-1], "its backlog stays where it is"


def _recovers(history: History, _: Verdict) -> Iterator[Mark]:
    """Yield the last fault: what it is that the service does not get over."""
    struck = [event for event in strikes(history) if event.event not in _PAUSES]
    if struck:
        yield struck[-1], "it does not recover from this"


def _accepts(history: History, verdict: Verdict) -> Iterator[Mark]:
    """Yield the last 2xx for what is not on the broker; or what came twice under one key."""
    for message in verdict.blamed:
        mine = [event for event in history.events if event.message == message]
        sent = [event for event in mine if event.event in _OUTPUTS and event.side == "subject"]
        accepted = [event for event in mine if event.event == "asked" and succeeded(event.size)]
        if verdict.surplus and len(sent) > 1:
            yield sent[1], "on the broker again"
        elif accepted and verdict.surplus:
            yield accepted[-1], "it had more than one effect"
        elif accepted:
            where = "without effect" if history.header.broker == "http" else "not on the broker"
            yield accepted[-1], f"accepted, but {where}"


def _health(history: History, _: Verdict) -> Iterator[Mark]:
    """Yield what the health endpoint last said in each phase that it did not tell, or when that phase began."""
    for phase in _phases(history):
        begin, *said = phase
        fine = succeeded(said[-1].size) if said else None
        if begin.event == "isolated" and fine is not False:
            yield said[-1] if said else begin, "says healthy while cut off"
        elif begin.event == "mended" and not fine:
            yield said[-1] if said else begin, "never healthy again"


def _phases(history: History) -> Iterator[list[Event]]:
    """Yield each isolation and each mending with what the health endpoint of that service said then."""
    open_phases: dict[str, list[Event]] = {}
    for event in history.events:
        if event.event in {"isolated", "mended"}:
            if event.service in open_phases:
                yield open_phases[event.service]
            open_phases[event.service] = [event]
        elif event.event == "health" and event.service in open_phases:
            open_phases[event.service].append(event)
    yield from open_phases.values()


def _order(history: History, _: Verdict) -> Iterator[Mark]:
    """Yield the first effect of a message that came before that of an earlier one with the same key."""
    keys: Mapping[str, str] = history.header.declared.get("keys", {})
    sent = [event for event in history.events if event.event in _OUTPUTS and event.side == "subject"]
    effects = sent or [event for event in history.events if event.settles and event.event != "published"]
    first: dict[str, Event] = {}
    for event in effects:
        first.setdefault(event.message or "", event)
    published = [event.message for event in history.events if event.event == "published" and event.message]
    rank = {message: number for number, message in enumerate(dict.fromkeys(published))}
    came = [message for message in first if message in rank]
    for number, message in enumerate(came):
        later = [each for each in came[number + 1 :] if keys.get(each) == keys.get(message)]
        overtaken = [each for each in later if rank[each] < rank[message]]
        if overtaken:
            yield first[message], f"too early: before {min(overtaken, key=rank.__getitem__)}"


def _backs_off(history: History, verdict: Verdict) -> Iterator[Mark]:
    """Yield the attempts that came too early, too late or after the last that was promised."""
    promised = _promised(history, "backs-off")
    gaps, jitter = promised.get("schedule", ()), promised.get("jitter", 0.0)
    tolerance, attempts = promised.get("tolerance", 0.0), promised.get("attempts", 0)
    yield from _asked_again(history, verdict, promised)
    for deliveries in _deliveries(history, verdict):
        for number, event in enumerate(deliveries[1:], start=1):
            if attempts and number >= attempts:
                yield event, f"{ordinal(number + 1)} attempt, {attempts} promised"
                break
            if number > len(gaps):
                continue
            gap, wanted = event.t - deliveries[number - 1].t, gaps[number - 1]
            if abs(gap - wanted) > wanted * jitter + tolerance:
                early = "early" if gap < wanted else "late"
                yield event, f"too {early}: after {gap:.3g} s, promised {wanted:g} s"


def _asked_again(history: History, verdict: Verdict, promised: Mapping[str, Any]) -> Iterator[Mark]:
    """Yield the requests between services that came too early, too late, too often, or were the last too soon."""
    gaps, attempts = promised.get("schedule", ()), promised.get("attempts", 0)
    leeway = promised.get("jitter", 0.0), promised.get("tolerance", 0.0)
    for each in _series(history, verdict):
        if len(each.attempts) > attempts:
            yield each.attempts[attempts].event, f"{ordinal(attempts + 1)} attempt, {attempts} promised"
        elif each.attempts[-1].refused and len(each.attempts) < attempts:
            yield each.attempts[-1].event, f"the last, {attempts} promised"
        for number, (earlier, later) in enumerate(pairwise(each.attempts)):
            if earlier.end is None or not gaps:
                continue
            gap, wanted = later.event.t - earlier.end, gaps[min(number, len(gaps) - 1)]
            if abs(gap - wanted) > wanted * leeway[0] + leeway[1]:
                early = "early" if gap < wanted else "late"
                yield later.event, f"too {early}: after {gap:.3g} s, promised {wanted:g} s"


def _once(history: History, verdict: Verdict) -> Iterator[Mark]:
    """Yield the requests between services that did again what was done."""
    for each in _series(history, verdict):
        first, *others = [attempt for attempt in each.attempts if attempt.event.ok] or [each.attempts[0]]
        for other in others:
            key = "the same" if other.marks.get("key") == first.marks.get("key") else "another"
            yield other.event, f"again, under {key} key"


def _series(history: History, verdict: Verdict) -> Iterator[Series]:
    """Yield what services asked each other about the blamed messages, more than once or in vain."""
    for each in series(history.events):
        tried = len(each.attempts) > 1 or each.attempts[-1].refused
        if tried and each.message in verdict.blamed and not each.doubt:
            yield each


_FINDERS: Mapping[str, Callable[[History, Verdict], Iterator[Mark]]] = {
    "poison-set-aside": _poison,
    "backlog-drains": _drains,
    "recovers": _recovers,
    "accepts-honestly": _accepts,
    "tells-health": _health,
    "keeps-order": _order,
    "backs-off": _backs_off,
    "effects-once": _once,
}
