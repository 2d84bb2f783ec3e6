"""accepts-honestly: an answer of 2xx means that the message is on the broker; anything else may be repeated.

Assumes that a repeated request carries the same idempotency key, and that the history is quiet. A request that
was refused and took effect nevertheless is no fault: repeating it must not have a second effect. A message of
which several copies were sent is the business of effects-once. Linear in the events.
"""

from collections import Counter

from atleastonce.checks.case import Case, Unjudgeable, blamed, evidence, judged, listed, unseen
from atleastonce.checks.signs import is_delivered
from atleastonce.effects import Difference
from atleastonce.history import Event, History
from atleastonce.schedule import CLIENT, SENTINEL
from atleastonce.verdict import Verdict

PROMISE = "accepts-honestly"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a link that was cut, or a queue taken away, while messages were sent.

    So is a fault between the client and the service: what was asked may be done, and its answer is lost.
    """
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    asked = case.history.named("asked")
    if not asked:
        raise Unjudgeable("no request was sent to the service", occasion=False)
    case.became_quiet(apart_from=("published",))
    if not _disturbed(case):
        raise Unjudgeable("nothing was cut, taken away or ended while requests were sent", occasion=False)
    more = _done_twice(case)
    if more:
        case.stands(more)
        return Verdict(
            promise=PROMISE,
            outcome="broken",
            reason="a request that was repeated under one idempotency key had more than one effect",
            evidence=evidence(more),
            blamed=blamed(more),
            surplus=any(difference.message for difference in more),
        )
    short = _not_on_the_broker(case)
    if short:
        reason = "a request that was answered with 2xx has no effect, or less than its whole effect"
        return case.lacking(PROMISE, short, reason)
    refused = _refused(case)
    if refused:
        times = Counter(event.message for event in asked)
        said = ", ".join(f"{listed([message])} ({times[message]} requests)" for message in refused)
        raise Unjudgeable(f"never answered with 2xx: {said}")
    honest = case.confirmed & case.seen
    accepted = [message for message in case.innocents if message in honest]
    if not accepted:
        raise unseen("what was accepted")
    reason = f"answered with 2xx, {listed(accepted)} had their effect"
    return Verdict(promise=PROMISE, outcome="kept", reason=reason)


def _disturbed(case: Case) -> bool:
    """Tell whether, before the last request was answered, a fault came between it and its effect."""
    disturbed = any(trap.link == CLIENT for trap in case.history.header.schedule.traps)
    for event in case.history.events:
        disturbed = disturbed or event.event in ("cut", "unrouted") or _not_passed(event)
        disturbed = disturbed or (event.event == "isolated" and event.size > 0)
        if disturbed and event.event == "asked":
            return True
    return False


def _not_passed(event: Event) -> bool:
    return event.event == "request" and not event.ok


def _refused(case: Case) -> tuple[str, ...]:
    """Return the messages that were asked and never accepted."""
    asked = dict.fromkeys(e.message for e in case.history.named("asked") if e.message)
    open_ = {*asked} - case.confirmed - {*case.poisons} - case.declined
    return tuple(m for m in asked if m in open_)


def _not_on_the_broker(case: Case) -> tuple[Difference, ...]:
    """Return what accepted messages lack; what is handed over by a broker, or set aside, was on it."""
    short = case.missing({*case.confirmed, SENTINEL} - {*_refused(case)} - case.declined)
    there = {event.message for event in filter(is_delivered, case.history.events)} | case.dead_lettered
    return tuple(each for each in short if each.message is None or each.message not in there)


def _done_twice(case: Case) -> tuple[Difference, ...]:
    """Return what is more, of messages that were sent more than once under one key."""
    requests = Counter(e.message for e in case.history.named("asked"))
    copies = Counter(message for message, _ in {(e.message, e.copy) for e in case.history.events if e.copy})
    once = [each for each in case.innocents if copies[each] == 1 and each not in case.declined]
    again = {message for message in once if requests[message] > 1}
    more = [each for each in case.differences if each.kind == "surplus"]
    named = tuple(each for each in more if each.message in again)
    if named:
        return named
    # A total may be any message's, unless all of them were repeated.
    everyone = bool(again) and again == {*case.innocents} - case.declined
    return tuple(each for each in more if each.message is None) if everyone else ()
