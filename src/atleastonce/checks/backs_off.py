"""backs-off: attempts on what keeps failing follow the declared schedule, and then stop.

Judged by the deliveries of poison, and by what services ask each other over HTTP. A gap runs from the end of one
attempt to the start of the next. Over HTTP an attempt ends with its answer, or with the link that is cut; where
the service itself gave up waiting, nobody knows when. A delivery ends nowhere that is seen: its gap holds the
time that the attempt took, which the declared tolerance must allow for.

The last declared gap repeats while attempts remain. A gap that is too long is accused only where the canary
kept its time, one that is too short only where it was not late. Where anything gave messages back, or not every
attempt was seen, the attempts are not the service's own. Over HTTP, too few are accused only where the last one
was answered with 503 by the fault `fail`: what was cut or withheld, a service need not dare to repeat. Linear in
the events, for each copy that was tried.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from atleastonce.checks.case import Case, Unjudgeable, judged, ours
from atleastonce.checks.signs import interruption, is_delivered, late_canary, passed_on, unwitnessed
from atleastonce.history import Event, History
from atleastonce.promises import BacksOff
from atleastonce.verdict import Verdict

PROMISE = "backs-off"

_LET_GO = ("produce", "publish", "nack", "reject")
"""How a service passes on what it got, to be tried later or set aside, or gives it back."""


@dataclass(frozen=True)
class _Tried:
    """Something that was tried: when each attempt began, and when it ended as far as that is known.

    `stopped` says that nothing more will come of it, though it failed to the last: None where the last attempt
    did not fail for certain, True where the service has said so, False where it takes a witness.
    """

    what: str
    message: str
    began: tuple[float, ...]
    ended: tuple[float | None, ...]
    stopped: bool | None

    @property
    def times(self) -> int:
        """How many attempts there were."""
        return len(self.began)

    @property
    def gaps(self) -> tuple[float | None, ...]:
        """The times between them; None where it is not known."""
        pairs = zip(self.ended, self.began[1:], strict=False)
        return tuple(None if end is None else start - end for end, start in pairs)

    @property
    def counted(self) -> str:
        """How often it was tried."""
        return f"{self.what} was tried {'once' if self.times == 1 else f'{self.times} times'}"

    @property
    def said(self) -> str:
        """How often it was tried, and how far apart."""
        gaps = ", ".join("?" if gap is None else f"{gap:.2f} s" for gap in self.gaps)
        return f"{self.counted}, {gaps} apart" if gaps else self.counted


def check(history: History) -> Verdict:
    """Judge a history; the occasion is something that was tried again though nothing was interrupted.

    Over HTTP it is also what was answered with 503 once, and not tried again.
    """
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    if not case.poisons and not case.series:
        raise Unjudgeable("no message was sent that keeps failing", occasion=False)
    attempts = case.option(PROMISE, "attempts")
    if attempts is None:
        raise Unjudgeable("the contract declares no attempts", occasion=False)
    case.ended()
    tried = _delivered(case) if case.poisons else [[each] for each in _asked(case)]
    kept = []
    for ways in tried:
        seen = _judged_each_way(case, ways, attempts)
        if isinstance(seen, Verdict):
            return seen
        kept.append(seen.said)
    case.became_quiet(apart_from=("published",))
    return Verdict(promise=PROMISE, outcome="kept", reason=f"{'; '.join(kept)}, as declared")


def _judged_each_way(case: Case, ways: Sequence[_Tried], attempts: int) -> _Tried | Verdict:
    """Return the first way to see what was tried that is as declared, else the accusation of the first one.

    Raises `Unjudgeable` where none is as declared, and one of them leaves a doubt.
    """
    wrong: list[Verdict] = []
    doubts: list[Unjudgeable] = []
    for way in ways:
        try:
            accused = _accused(case, way, attempts)
        except Unjudgeable as doubt:
            doubts.append(doubt)
        else:
            if accused is None:
                return way
            wrong.append(accused)
    if doubts:
        raise doubts[0]
    return wrong[0]


# -- what was tried


def _delivered(case: Case) -> list[list[_Tried]]:
    """Return each copy of a poison that was handed to the service again, with the times of that.

    A record in a topic of retries may be read before its time, and put back, or held until it is due, or be tried there
    several times: then there are several ways to see it, and it is accused where all are wrong.
    A service of a chain counts for itself. Where there are several poisons, Kafka fetches them again with each
    other: then nothing tells whose attempt it is.
    """
    if (event := interruption(case.history)) is not None:
        raise Unjudgeable(f"messages may have been given back ({event.event})", occasion=False)
    kinds = ("deliver",) if len(case.poisons) > 1 else ("deliver", "fetch")
    poisons = {*case.poisons}
    found: dict[tuple[str, str], list[Event]] = {}
    for event in case.history.events:
        if is_delivered(event) and event.event in kinds and event.copy and event.message in poisons:
            found.setdefault((event.copy, event.service), []).append(event)
    longest: dict[str, list[Event]] = {}
    for (copy, _), read in found.items():
        longest[copy] = max(longest.get(copy, []), read, key=len)
    own = passed_on(case.history)
    tried = []
    for copy, read in longest.items():
        message = copy.partition("#")[0]
        if len(read) > 1:
            stopped = message in case.dead_lettered if case.history.observed("faulty") else False
            due = _when_due(read, own)
            ways = dict.fromkeys((tuple(e.t for e in due), tuple(e.t for e in read), _when_done(case, due)))
            tried.append([_Tried(copy, message, times, times, stopped) for times in ways])
    if not tried:
        raise Unjudgeable("nothing was tried again", occasion=False)
    return tried


def _when_due(read: list[Event], own: Collection[tuple[str | None, str]]) -> list[Event]:
    """Return each record as it was read last, of those in topics of retries; of all others, each time."""
    last = {
        (each.queue, each.partition, each.offset) if (each.copy, each.queue) in own else (number,): each
        for number, each in enumerate(read)
    }
    return sorted(last.values(), key=lambda each: each.t)


def _when_done(case: Case, read: list[Event]) -> tuple[float, ...]:
    """Return when the service let go of what it had read each time: it may hold that until it is due.

    When that began is not seen; it passed it on, or gave it back, right behind the attempt. Where it did neither,
    the time when it settled it, or read it.
    """
    turns = {id(each) for each in read}
    mine = (read[0].message, read[0].service)
    done: list[float] = []
    settled = False
    for event in case.history.events:
        if id(event) in turns:
            done.append(event.t)
            settled = False
        elif done and event.side == "subject" and (event.message, event.service) == mine:
            if event.event in _LET_GO or not settled:
                done[-1] = event.t
            settled = True
    return tuple(done)


def _asked(case: Case) -> list[_Tried]:
    """Return what one service asked another one and what failed, where every attempt was seen."""
    if case.planned("burst"):
        reason = "of requests of ours at the same time, each may be what a service asks another one for"
        raise Unjudgeable(reason, occasion=False)
    declared = BacksOff(attempts=1, schedule=(), calls=tuple(case.option(PROMISE, "calls", ())))
    chained = [each for each in case.series if declared.covers(each.call)]
    failed = [each for each in chained if len(each.attempts) > 1 or each.attempts[-1].refused]
    sure = [each for each in failed if each.alike and not each.doubt]
    if not sure:
        unlike = "what was asked for again may be something else, by its key and its body"
        doubts = dict.fromkeys(each.doubt or unlike for each in failed)
        raise Unjudgeable("; ".join(doubts) or "no service asked another one again", occasion=False)
    return [
        _Tried(
            what=f"{each.call} for {each.message}",
            message=each.message,
            began=tuple(attempt.event.t for attempt in each.attempts),
            ended=tuple(attempt.end for attempt in each.attempts),
            stopped=each.answered if each.attempts[-1].refused else None,
        )
        for each in sure
    ]


# -- what is wrong with it


def _accused(case: Case, tried: _Tried, attempts: int) -> Verdict | None:
    """Accuse of too many attempts, of gaps that are too short or too long, or, once quiet, of too few."""
    return (
        _endless(tried, attempts) or _hot(case, tried) or _slow(case, tried) or _early(case, tried, attempts)
    )


def _endless(tried: _Tried, attempts: int) -> Verdict | None:
    if tried.times <= attempts:
        return None
    said = f"{tried.counted}, {attempts} declared"
    return _broken("endless: it is tried more often than declared", said, tried, surplus=True)


def _early(case: Case, tried: _Tried, attempts: int) -> Verdict | None:
    if tried.times >= attempts or tried.stopped is None:
        return None
    case.became_quiet(apart_from=("published",))
    if not tried.stopped:
        case.witnessed(tried.counted)
    said = f"{tried.counted}, {attempts} declared"
    return _broken("it stops early: it is tried less often than declared", said, tried)


def _hot(case: Case, tried: _Tried) -> Verdict | None:
    for number, gap, declared in _gaps(case, tried):
        least = declared * (1 - _jitter(case)) - _tolerance(case)
        if gap < least:
            said = f"gap {number} of {tried.what}: {gap:.3f} s, at least {least:.3f} s declared"
            if (late := late_canary(case.history.named("canary"))) is not None:
                raise Unjudgeable(f"{late}; {said}")
            return _broken("hot: it is tried again sooner than declared", said, tried)
    return None


def _slow(case: Case, tried: _Tried) -> Verdict | None:
    for number, gap, declared in _gaps(case, tried):
        most = declared * (1 + _jitter(case)) + _tolerance(case)
        if gap > most:
            said = f"gap {number} of {tried.what}: {gap:.3f} s, at most {most:.3f} s declared"
            if (excuse := unwitnessed(case.history.named("canary"))) is not None:
                raise Unjudgeable(f"{excuse}; {said}")
            return _broken("it is tried again later than declared", said, tried)
    return None


def _gaps(case: Case, tried: _Tried) -> Iterator[tuple[int, float, float]]:
    """Yield number and length of each gap that is known, with the declared one; none where none are declared."""
    declared: list[float] = case.option(PROMISE, "schedule", [])
    for number, gap in enumerate(tried.gaps if declared else ()):
        if gap is not None:
            yield number + 1, gap, declared[min(number, len(declared) - 1)]


def _jitter(case: Case) -> float:
    return float(case.option(PROMISE, "jitter", 0.0))


def _tolerance(case: Case) -> float:
    return float(case.option(PROMISE, "tolerance", 0.0))


def _broken(reason: str, said: str, tried: _Tried, *, surplus: bool = False) -> Verdict:
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=reason,
        evidence=(said,),
        blamed=ours((tried.message,)),
        surplus=surplus,
    )
