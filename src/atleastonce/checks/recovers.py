"""recovers: after a cut link, a broker restart or a crash the next message takes effect, with no help.

Judges the messages published after the last fault that really hit, the sentinel among them: what was under way
when it hit is the business of nothing-lost. The deadline is the one after which the runner gave up waiting for
quiet; it is accused only where the canary kept its time. Schedules with poison, with an outage or with a queue
taken away are judged by the promises that name these. Linear in the events.
"""

from atleastonce.checks.case import Case, Unjudgeable, judged, listed, ours, unseen
from atleastonce.checks.signs import is_delivered, is_published
from atleastonce.history import Event, History
from atleastonce.schedule import SENTINEL
from atleastonce.verdict import Verdict

PROMISE = "recovers"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a link that died, or a service that was killed and started again."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    schedule = case.history.header.schedule
    if case.poisons or case.planned("stop", "unroute", "rewind", "forget", "rebalance"):
        raise Unjudgeable("the schedule holds another fault than a crash or a dead link", occasion=False)
    if not schedule.traps and not case.planned("cut", "isolate", "restart"):
        raise Unjudgeable("no crash and no dead link was planned", occasion=False)
    case.ended()
    index, fault = _fault(case)
    index = _reached_again(case, index)
    later = _published_after(case, index)
    within = case.option(PROMISE, "within")
    deadline = f"within {within:g} s" if within else "in time"
    if case.unquiet is not None:
        _all_done(case, index)
        case.witnessed(case.unquiet)
        waiting = {copy.partition("#")[0] for copy in case.ledger.unsettled()}
        return _broken(
            f"after {fault} the service did not get back to work {deadline}",
            (case.unquiet,),
            ours(message for message in case.innocents if message in waiting),
        )
    if None not in case.touched and case.touched.isdisjoint(later):
        raise unseen("what came behind the fault")
    short = case.missing(later)
    if short:
        reason = f"published after {fault}, {listed(later)} did not take effect {deadline}"
        return case.lacking(PROMISE, short, reason)
    reason = f"published after {fault}, {listed(later)} took effect {deadline}"
    return Verdict(promise=PROMISE, outcome="kept", reason=reason)


def _all_done(case: Case, index: int) -> None:
    """Raise Unjudgeable where all that keeps it from being quiet is offsets of records that were done with.

    A service whose offsets lie beside its state does not fetch again what it has done, so that nothing commits the
    offset before the next record of that partition is there. Such a service has recovered.
    """
    waiting = {*case.ledger.unsettled()}
    again = {event.copy for event in case.history.events[index:] if is_delivered(event)}
    if case.history.header.broker != "kafka" or not waiting or waiting & again:
        return
    if not any(each.kind == "deficit" for each in case.differences):
        done = listed(dict.fromkeys(copy.partition("#")[0] for copy in sorted(waiting)))
        raise Unjudgeable(
            f"all took effect, and {done} was not fetched again, but its offset was not committed"
        )


def _broken(reason: str, said: tuple[str, ...], guilty: tuple[str, ...]) -> Verdict:
    return Verdict(promise=PROMISE, outcome="broken", reason=reason, evidence=said, blamed=guilty)


def _fault(case: Case) -> tuple[int, str]:
    """Return the last fault that really hit, where in the events and in words."""
    found: tuple[int, str] | None = None
    killed: dict[str, tuple[int, str]] = {}
    isolated: set[str] = set()
    closed, trap = False, ""
    for index, event in enumerate(case.history.events):
        closed = closed or event.event == "closed"
        match event.event:
            case "sprung":
                trap = event.note
            case "kill":
                killed[event.service] = index, _words(trap, "kill", event)
            case "start" if event.service in killed:
                found = max(found or (0, ""), killed.pop(event.service))
            case "cut":
                found = index, _words(trap, "cut", event)
            case "isolated" if event.size:
                isolated.add(event.service)
            case "mended" if event.service in isolated:
                found = index, f"isolating {event.service}".strip()
            case "broker-restarted":
                found = index, "a restart of the broker"
    if found is None or (found[1] == "a restart of the broker" and not closed):
        raise Unjudgeable("no link died, and nothing that was killed was started again", occasion=False)
    return found


def _reached_again(case: Case, index: int) -> int:
    """Return from where on, behind a fault, what is published reaches the service: at once where queues keep it.

    Where all is consumed without acknowledgements, or from queues that end with their consumers, what comes before it
    has subscribed again goes with the dead link: that is the business of nothing-lost, too. Raise Unjudgeable where the
    sentinel did.
    """
    if not case.history.header.declared.get("volatile"):
        return index
    events = case.history.events
    again = [at for at in range(index, len(events)) if events[at].event == "consume" and events[at].settles]
    sent = next((at for at in range(index, len(events)) if events[at].copy == f"{SENTINEL}#1"), len(events))
    if again and again[0] > sent:
        raise Unjudgeable(
            "the sentinel came before the service had subscribed again, and nothing keeps it until then"
        )
    return max((at for at in again if at < sent), default=index)


def _words(trap: str, fault: str, event: Event) -> str:
    """Say a fault by the trap that let it strike, or by the service it struck."""
    return trap if trap.startswith(f"{fault} ") else f"{fault} {event.service}".strip()


def _published_after(case: Case, index: int) -> tuple[str, ...]:
    """Return the messages of which no copy was there when the fault hit; the sentinel always is one."""
    events = case.history.events
    begun = (
        e for e in events[:index] if is_published(e) or is_delivered(e) or e.event in ("asked", "entered")
    )
    before = {event.message for event in begun}
    later = [e.message for e in events[index:] if is_published(e) and e.message and e.message not in before]
    return tuple(dict.fromkeys([message for message in later if message != SENTINEL] + [SENTINEL]))
