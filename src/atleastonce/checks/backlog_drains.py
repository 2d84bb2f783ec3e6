"""backlog-drains: what was accepted while the service was down takes effect after it starts, and so does the rest.

Assumes one outage, from a stop to the next start; messages published between them are the backlog, those after
the start are fresh. The deadline is the one after which the runner gave up waiting for quiet;
it is accused only where the canary kept its time. That one starves the other is judged from eight of each on, in
one partition and by one consumer, by the times at which they were settled: a service may well work on several at once,
and a consumer that took all that had waited may be busy with it while another one is idle. What was given back, as by
a channel that closes, comes again when the broker likes, and says nothing of an order. A dead letter is no effect.
Linear in the events.
"""

from typing import NamedTuple

from atleastonce.checks.case import Case, Unjudgeable, judged, listed, ours, unseen
from atleastonce.checks.signs import is_published
from atleastonce.history import Event, History, queue_name
from atleastonce.schedule import SENTINEL
from atleastonce.verdict import Verdict

PROMISE = "backlog-drains"
_ENOUGH = 8
"""From how many messages on their order says something."""


_Place = tuple[str | int, ...]
"""A queue and a partition, and the service, link and channel by which a message was settled that lay there."""


class _Outage(NamedTuple):
    """What an outage left: how deep a queue got, and which messages waited or came afterwards."""

    deepest: Event
    backlog: tuple[str, ...]
    fresh: tuple[str, ...]
    start: int
    """Where in the events the service was started again."""


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a queue with messages in it while the service was down."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    if not case.planned("stop"):
        raise Unjudgeable("the service was not stopped", occasion=False)
    case.ended()
    outage = _outage(case)
    if case.unquiet is not None:
        return _did_not_drain(case, outage)
    if not {*outage.backlog} & case.seen:
        raise unseen("what waited")
    short = case.missing(outage.backlog)
    if short:
        return case.lacking(PROMISE, short, "what waited while the service was down has no effect")
    late = case.missing((*outage.fresh, SENTINEL))
    if late:
        return case.lacking(
            PROMISE, late, "new messages are starved: what came after the start has no effect"
        )
    return _starved(case, outage) or _kept(case, outage)


def _outage(case: Case) -> _Outage:
    deepest: Event | None = None
    down: set[str] = set()
    start = 0
    first: dict[str, str] = {}
    phase = "before"
    for index, event in enumerate(case.history.events):
        if event.event == "stop":
            down.add(event.service)
            phase = "down"
        elif event.event == "start" and event.service in down:
            down.discard(event.service)
            phase, start = ("down" if down else "up"), index
        elif event.event == "depth" and down and event.size > (deepest.size if deepest else 0):
            deepest = event
        elif is_published(event) and event.message in case.innocent:
            first.setdefault(event.message, phase)
    if deepest is None:
        raise Unjudgeable("nothing waited while the service was down", occasion=False)
    backlog, fresh = (tuple(m for m, when in first.items() if when == which) for which in ("down", "up"))
    return _Outage(deepest, backlog, fresh, start)


def _did_not_drain(case: Case, outage: _Outage) -> Verdict:
    why = case.unquiet or ""
    if case.poisons:
        raise Unjudgeable(f"{why}; {listed(case.poisons)} may be the reason")
    case.witnessed(why)
    within = case.option(PROMISE, "within")
    deadline = f"within {within:g} s" if within else "in time"
    waiting = {copy.partition("#")[0] for copy in case.ledger.unsettled()}
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=f"{_depth(outage)}, and the service did not get done with it {deadline}",
        evidence=(why,),
        blamed=ours(message for message in case.innocents if message in waiting),
    )


def _starved(case: Case, outage: _Outage) -> Verdict | None:
    """Accuse where most of the backlog was settled only after most of the fresh messages had been."""
    settled, place = _settled(case)
    for given_back in case.repeated:
        settled.pop(given_back, None)
    for where in dict.fromkeys(place.values()):
        backlog, fresh = (
            sorted((settled[m], m) for m in group if m in settled and place.get(m) == where)
            for group in (outage.backlog, outage.fresh)
        )
        if min(len(backlog), len(fresh)) < _ENOUGH:
            continue
        most = fresh[len(fresh) // 2][0]
        overtaken = [message for at, message in backlog if at > most]
        if len(overtaken) * 2 > len(backlog):
            served = f"{len(overtaken)} of {len(backlog)} that waited, after most of the new ones"
            return Verdict(
                promise=PROMISE,
                outcome="broken",
                reason="new messages were served first, and what had waited was starved",
                evidence=(f"settled {served} ({most:.3f} s): {listed(overtaken)}",),
                blamed=tuple(overtaken),
            )
    return None


def _settled(case: Case) -> tuple[dict[str, float], dict[str, _Place]]:
    """Return when each message was settled for the last time, where it was put, and by which consumer.

    What was settled at one time, by one commit, came together.
    """
    settled: dict[str, float] = {}
    put: dict[str, tuple[str, int]] = {}
    consumer: dict[str, tuple[str, int, int]] = {}
    for event in case.history.events:
        if not event.message:
            continue
        if event.event == "published":
            put.setdefault(event.message, (event.queue, event.partition))
        elif event.settles:
            settled[event.message] = event.t
            consumer[event.message] = (event.service, event.link, event.channel)
    return settled, {message: (*where, *consumer.get(message, ())) for message, where in put.items()}


def _kept(case: Case, outage: _Outage) -> Verdict:
    start, *behind = case.history.events[outage.start :]
    ends = (e for e in behind if _is_empty(e, outage.deepest.queue) or e.event == "quiet")
    empty = next(ends, start)
    return Verdict(
        promise=PROMISE,
        outcome="kept",
        reason=f"{_depth(outage)}, and nothing any more {empty.t - start.t:.1f} s after it was started again",
    )


def _is_empty(event: Event, queue: str) -> bool:
    return event.event == "depth" and event.queue == queue and not event.size


def _depth(outage: _Outage) -> str:
    where = f" in {queue_name(outage.deepest.queue)}" if outage.deepest.queue else ""
    return f"{outage.deepest.size} messages waited{where} while the service was down"
