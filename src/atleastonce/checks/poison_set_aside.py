"""poison-set-aside: a poison message ends in the dead-letter queue as it was sent, and nothing else ends there.

It is tried a bounded number of times, and the innocent messages around it take effect. Assumes that a poison
is one for good. Attempts are counted, and letters seen, whether or not the case became quiet; what is missing is
accused only where the canary kept its time. Where anything but poison disturbs the service, a poison may be set
aside more than once, and innocents without effect are the business of nothing-lost. Duplicates alone may break it,
by what lies in the dead-letter queue, but say nothing of poison: it is not kept then. Linear in the events.
"""

from collections import Counter
from collections.abc import Callable

from atleastonce.checks.case import Case, Unjudgeable, greatest, judged, listed, ours
from atleastonce.checks.signs import interruption, passed_on
from atleastonce.history import Event, History, Output
from atleastonce.schedule import SENTINEL
from atleastonce.verdict import Verdict

PROMISE = "poison-set-aside"
ATTEMPTS = 5
"""How often a poison is tried at the most, where a history does not say."""

_INTERRUPTS = ("kill", "stop", "cut", "isolated", "broker-restarted")
"""What gives a message back through no fault of the service; ending by itself is no excuse."""


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a poison that was delivered, or a duplicate that was set aside."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    case.ended()
    delivered = _delivered(case)
    poisons = tuple(poison for poison in case.poisons if delivered[poison])
    repeated = tuple(message for message in case.innocents if delivered[message] > 1)
    if not poisons and not repeated:
        raise Unjudgeable("no poison was delivered, and no input twice", occasion=False)
    accusations: tuple[Callable[[Case], Verdict | None], ...] = (_tried_for_ever, _not_poison)
    if poisons:
        accusations += (_not_as_sent, _too_often, _stuck, _not_there, _stopped)
    for accusation in accusations:
        if (verdict := accusation(case)) is not None:
            return verdict
    case.became_quiet()
    _letters(case)
    if not poisons:
        raise Unjudgeable("no poison was delivered, and no duplicate was set aside", occasion=False)
    return Verdict(promise=PROMISE, outcome="kept", reason=_what_became(poisons, repeated))


def _delivered(case: Case) -> Counter[str | None]:
    """Return how often each message was handed to a service out of the same queue; requests do not count."""
    handed: Counter[tuple[str | None, str]] = Counter()
    for (_, _, message, queue), times in case.handed.items():
        handed[message, queue] += times
    return greatest(handed)


# -- accusations, in the order in which they are made


def _tried_for_ever(case: Case) -> Verdict | None:
    """Accuse of more deliveries of a poison than its attempts and the interruptions explain, or a loop that says so."""
    most, why = _most_deliveries(case)
    tried = _tries(case)
    poisons = {*case.poisons}
    over = {}
    for (service, copy), times in tried.items():
        poison = copy.partition("#")[0]
        if poison in poisons and times > (may := most * (queues := _queues(case, poison, service))):
            each = f", out of each of {queues} queues" if queues > 1 else ""
            over[copy] = f"{copy} was delivered {times} times, at most {may} expected: {why}{each}"
    if over:
        guilty = ours(copy.partition("#")[0] for copy in over)
        return _broken(
            f"{listed(guilty)} was tried again and again", tuple(over.values()), guilty, surplus=True
        )
    looped = next(iter(case.history.named("looped")), None)
    if looped is None:
        return None
    if not case.poisons:
        if not _poison_only(case):
            return None
        guilty = ours([looped.message])
        return _broken("the service never got done with a duplicate", (looped.note,), guilty, surplus=True)
    if _counted(case, looped, tried) <= most:
        raise Unjudgeable(f"given up before {most + 1} attempts were seen: {looped.note}")
    reason = f"the service did not get over {listed(case.poisons)}"
    return _broken(reason, (looped.note,), case.poisons, surplus=True)


def _not_poison(case: Case) -> Verdict | None:
    """Accuse of an innocent message in the dead-letter queue, which does not lie there after a clean run too."""
    clean = {each.message for m in ("clean-1", "clean-2") for each in case.observed(m).dead_letters}
    innocents = {*case.innocents, SENTINEL} - clean
    found = tuple(dict.fromkeys(each.message for each in _letters_seen(case) if each.message in innocents))
    if not found:
        return None
    names = [message for message in found if message]
    said = tuple(f"{listed([message])} lies in the dead-letter queue" for message in names)
    reason = f"{listed(names)} was set aside although it is no poison"
    return _broken(reason, said, ours(names), surplus=True)


def _not_as_sent(case: Case) -> Verdict | None:
    """Accuse of a letter of a poison whose body or headers are not intact."""
    poisons = {*case.poisons}
    bad = [each for each in _letters_seen(case) if each.message in poisons and each.changed]
    if not bad:
        return None
    said = tuple(f"{each.message} in {each.queue}: {', '.join(each.changed)} changed or lost" for each in bad)
    guilty = ours(each.message for each in bad)
    return _broken(f"{listed(guilty)} was set aside, but not as it was sent", said, guilty, surplus=True)


def _too_often(case: Case) -> Verdict | None:
    """Accuse of more letters of a poison than copies, where nothing crashed."""
    if interruption(case.history) is not None:
        return None
    letters = Counter(each.message for each in _letters_seen(case))
    copies = Counter(event.message for event in case.history.named("published") if event.ok)
    twice = (poison for poison in case.poisons if letters[poison] > copies[poison])
    most = {poison: copies[poison] * _queues(case, poison) for poison in twice}
    more = [poison for poison in most if letters[poison] > most[poison]]
    if not more:
        return None
    said = tuple(f"{letters[p]} dead letters of {p}, {most[p]} expected" for p in more)
    return _broken(
        f"{listed(more)} was set aside more than once though nothing crashed", said, more, surplus=True
    )


def _stuck(case: Case) -> Verdict | None:
    """Accuse where it was not quiet in time, and poison is all that disturbed the service."""
    if case.unquiet is None or not _poison_only(case):
        return None
    case.witnessed(case.unquiet)
    return _broken("the service did not go on after the poison", (case.unquiet,), case.poisons)


def _not_there(case: Case) -> Verdict | None:
    """Accuse of a confirmed poison that is not in the dead-letter queue."""
    case.became_quiet()
    letters = {each.message for each in _letters(case)}
    gone = [poison for poison in case.poisons if poison in case.confirmed and poison not in letters]
    lost = [poison for poison in gone if not _welcome(case, poison)]
    if not lost and gone:
        raise Unjudgeable(
            f"{listed(gone)} had an effect, as any message has, so it may be none that the service cannot handle; "
            "name those in [[poison]]"
        )
    if not lost:
        return None
    case.witnessed(f"not in the dead-letter queue: {listed(lost)}")
    where = f"{listed(lost)} is not in the dead-letter queue"
    if None in letters:
        reason = f"{where}, unless as a letter that names no message: its body and headers were not kept"
    else:
        reason = f"{where}, and was not given back either"
    return _broken(reason, tuple(f"dead letters of {poison}: none" for poison in lost), lost)


def _stopped(case: Case) -> Verdict | None:
    """Accuse of innocents that lack their effect, where poison is all that disturbed the service."""
    if not _poison_only(case):
        return None
    short = case.missing({*case.innocents, SENTINEL})
    if not short:
        return None
    reason = f"with {listed(case.poisons)} among them, innocent messages lack their effect"
    return case.lacking(PROMISE, short, reason)


# -- what they rest on


def _most_deliveries(case: Case) -> tuple[int, str]:
    """Return how often one copy of a poison may be delivered out of each queue that it was put into, and why.

    A broker with a delivery limit of L delivers L + 1 times. What holds several messages when one of them makes
    it fail gets all of them again, so that each poison may cost each other one its attempts. After an interruption
    there may be as many again: of one that is tried by copies there are two then, and who counts in its memory
    begins anew. That ends, too.
    """
    attempts = int(case.option(PROMISE, "attempts", ATTEMPTS))
    interrupted = len(case.history.named(*_INTERRUPTS))
    poisons = {*case.poisons}
    copies = sum(event.ok and event.message in poisons for event in case.history.named("published"))
    causes = max(1, copies) + interrupted
    named = [
        f"{n} {what}{'s' * (n > 1)}" for n, what in ((copies, "poison"), (interrupted, "interruption")) if n
    ]
    why = f"attempts = {attempts}, and once more"
    why += f", for each of {' and '.join(named)}" if causes > 1 else ""
    why += f", and {interrupted} given back" if interrupted else ""
    return (attempts + 1) * causes + interrupted, why


def _queues(case: Case, poison: str, service: str = "") -> int:
    """Return into how many queues an exchange put a message, of one service or of all.

    Those that a service passed it on to are none.
    """
    passed_on = {event.queue for event in case.history.named("publish", "produce") if event.message == poison}
    handed = {queue for name, _, message, queue in case.handed if message == poison and service in ("", name)}
    return max(1, len(handed - passed_on))


def _tries(case: Case) -> Counter[tuple[str, str]]:
    """Return how often each copy was handed to each service for a try: once for each record of a topic of retries."""
    own = passed_on(case.history)
    tried: Counter[tuple[str, str]] = Counter()
    for (service, copy, _, queue), times in case.handed.items():
        if copy and (copy, queue) not in own:
            tried[service, copy] += times
    fetched = case.history.named("fetch") if own else ()
    read = (each for each in fetched if (each.copy, each.queue) in own)
    records = {(each.service, each.copy or "", each.queue, each.partition, each.offset) for each in read}
    tried.update((service, copy) for service, copy, *_ in records)
    return tried


def _counted(case: Case, looped: Event, tried: Counter[tuple[str, str]]) -> int:
    """Return how often that happened which was given up: a delivery, or a service that ended."""
    if looped.copy or looped.message:
        return max((n for (_, copy), n in tried.items() if _is_about(looped, copy)), default=0)
    ended = Counter(event.service for event in case.history.named("exit"))
    exits = ended[looped.service] if looped.service else max(ended.values(), default=0)
    return exits + 1  # the last one, after which it was given up, need not be in the history


def _is_about(looped: Event, copy: str) -> bool:
    return copy == looped.copy or (looped.copy is None and copy.partition("#")[0] == looped.message)


def _poison_only(case: Case) -> bool:
    """Tell whether the schedule holds no other fault: duplicates aside, only messages are published."""
    schedule = case.history.header.schedule
    return not schedule.traps and schedule.verbs <= {"publish", "wait"}


def _welcome(case: Case, poison: str) -> bool:
    """Tell whether a poison of our own making, not of the contract's, had an effect that bears its name."""
    if case.history.header.declared.get("own_poison", True):
        return False
    run = case.observed("faulty")
    shown = (
        address for address, value in run.values.items() if value is not None and f"<{poison}." in address
    )
    return any(each.message == poison for each in run.outputs) or any(shown)


def _letters(case: Case) -> tuple[Output, ...]:
    """Return the dead letters; raise Unjudgeable where none can be seen."""
    if not case.history.header.declared.get("dead_letters"):
        raise Unjudgeable("the contract names no dead-letter queue: see output.dead_letters")
    return case.observed("faulty").dead_letters


def _letters_seen(case: Case) -> tuple[Output, ...]:
    """Return the dead letters; none where none can be seen, or a case that was not quiet was not observed."""
    run = case.history.observed("faulty")
    unseen = case.unquiet is not None and (run is None or run.unreadable)
    return () if unseen or not case.history.header.declared.get("dead_letters") else _letters(case)


def _broken(
    reason: str, said: tuple[str, ...], guilty: tuple[str, ...] | list[str], *, surplus: bool = False
) -> Verdict:
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=reason,
        evidence=said,
        blamed=tuple(guilty),
        surplus=surplus,
    )


def _what_became(poisons: tuple[str, ...], repeated: tuple[str, ...]) -> str:
    said = [f"{listed(poisons)} in the dead-letter queue as sent"]
    said += [f"delivered more than once, {listed(repeated)} was not set aside"] if repeated else []
    return "; ".join(said)
