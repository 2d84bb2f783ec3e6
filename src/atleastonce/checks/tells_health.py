"""tells-health: the health endpoint turns unhealthy when the service is cut off, and healthy again afterwards.

Assumes that the history tells of each change of the endpoint, and that it was healthy at first where nothing
else is told; of a service without such an endpoint nothing is. No answer is an unhealthy one. The deadline is the
runner's, which waited for each change and then let the canary fly: where it was late too, or did not fly, a change
that is missing is unknown. Whether the case became quiet afterwards does not matter, except where the service read a
queue before, neither subscribes to it nor is handed anything afterwards, and our messages wait. Linear in the events.
"""

from atleastonce.checks.case import Case, Unjudgeable, judged
from atleastonce.checks.signs import is_delivered, is_healthy, unwitnessed
from atleastonce.history import ENDS, Event, History
from atleastonce.verdict import Verdict

PROMISE = "tells-health"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a service that was really cut off."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    if not case.planned("isolate"):
        raise Unjudgeable("the service was not cut off", occasion=False)
    case.went_as_planned(apart_from=ENDS)
    events = case.history.events
    cut_off = [i for i, event in enumerate(events) if event.event == "isolated" and event.size]
    if not cut_off:
        raise Unjudgeable("the service had no link that could be cut", occasion=False)
    asked = {event.service for event in events if event.event == "health"}
    cut_off = [index for index in cut_off if events[index].service in asked]
    if not cut_off:
        raise Unjudgeable("what was cut off has no health endpoint", occasion=False)
    told = [_told(case, index) for index in cut_off]
    broken = next((each for each in told if each.outcome == "broken"), None)
    return broken or told[0]


def _told(case: Case, index: int) -> Verdict:
    """Judge what was told of one time that a service was cut off."""
    events = case.history.events
    service, since = events[index].service, events[index].t
    before = [event for event in events[:index] if _is_health(event, service)]
    if before and not is_healthy(before[-1]):
        ended = any(event.service == service for event in case.history.named("exit"))
        raise Unjudgeable(
            f"the health endpoint said {_status(before[-1])} before the service was cut off"
            f"{', which had ended by itself' if ended else ''}",
            occasion=not ended,
        )
    mended = next((i for i in range(index, len(events)) if _is_mended(events[i], service)), len(events))
    during, after = events[index:mended], events[mended:]
    sick = next((e for e in during if _is_health(e, service) and not is_healthy(e)), None)
    if sick is None:
        _witnessed(during, "the health endpoint did not turn unhealthy")
        return _broken(case, "it could not consume, and its health endpoint did not say so", during, since)
    if not after:
        raise Unjudgeable("the history ends while the service was cut off")
    said = [event for event in after if _is_health(event, service)]
    well = next(filter(is_healthy, said), None)
    if well is None:
        _witnessed(after, "the health endpoint did not turn healthy again")
        _had_its_time(case, service, after)
        reason = "it could consume again, and its health endpoint did not say so"
        return _broken(case, reason, (sick, *after), after[0].t)
    if is_healthy(said[-1]) and _is_deaf(case, service, mended):
        reason = "it said that it could consume, and does not read any more what it read before"
        _witnessed(after, reason)
        return _broken(case, reason, after, after[0].t)
    reason = (
        f"unhealthy ({_status(sick)}) {sick.t - since:.1f} s after it was cut off, "
        f"healthy {well.t - after[0].t:.1f} s after it could consume again"
    )
    return Verdict(promise=PROMISE, outcome="kept", reason=reason)


def _is_deaf(case: Case, service: str, mended: int) -> bool:
    """Tell whether our messages wait in the end, and nobody reads a queue any more that the service had read.

    Judged of subscriptions, as RabbitMQ has them: a member of a group on Kafka may have to wait for its share.
    """
    if case.unquiet is None or case.history.header.broker == "kafka":
        return False
    before, after = case.history.events[:mended], case.history.events[mended:]
    if any(map(is_delivered, after)):
        return False
    read = {
        event.queue for event in before if is_delivered(event) and event.service == service and event.copy
    }
    again = {event.queue for event in after if event.event == "consume"}
    return bool(read - again) and bool(case.ledger.in_nobodys_hand)


def _witnessed(events: tuple[Event, ...], what: str) -> None:
    """Raise Unjudgeable where no canary flew while the change was awaited, or the last one was late."""
    if (excuse := unwitnessed(events)) is not None:
        raise Unjudgeable(f"{excuse}; {what}")


def _had_its_time(case: Case, service: str, after: tuple[Event, ...]) -> None:
    """Raise Unjudgeable where it ended by itself, and had less than the deadline since it was started again."""
    within = case.option(PROMISE, "within", 0.0)
    waited = next(number for number, event in enumerate(after) if event.event == "canary")
    starts = [each for each in after[:waited] if each.event == "start" and each.service == service]
    if starts and (left := after[waited].t - starts[-1].t) < within:
        raise Unjudgeable(
            f"it had ended by itself, and had {left:.1f} of {within:g} s from its next start to turn healthy again"
        )


def _broken(case: Case, reason: str, events: tuple[Event, ...], since: float) -> Verdict:
    last = [event for event in events if event.event == "health"]
    within = case.option(PROMISE, "within") or events[-1].t - since
    said = f"it said {_status(last[-1])}" if last else "it did not change"
    return Verdict(
        promise=PROMISE, outcome="broken", reason=reason, evidence=(f"waited {within:g} s: {said}",)
    )


def _is_health(event: Event, service: str) -> bool:
    return event.event == "health" and event.service == service


def _is_mended(event: Event, service: str) -> bool:
    return event.event == "mended" and event.service == service


def _status(event: Event) -> str:
    return str(event.size) if event.size else "nothing"
