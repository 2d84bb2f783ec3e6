"""backs-off: attempts on what keeps failing follow the declared schedule, and then stop.

Judged by the deliveries of poison: what is rejected at once is not tried again, and no occasion. A gap runs from
one delivery to the next and so holds the time that the attempt took, which the declared tolerance must allow for.
The last declared gap repeats while attempts remain. A gap that is too long is accused only where the canary
kept its time, one that is too short only where it was not late. Where anything gave messages back, the gaps are
not the service's own. Linear in the events.
"""

from itertools import pairwise

from atleastonce.checks.case import (
    Case,
    Unjudgeable,
    interruption,
    is_delivered,
    judged,
    late_canary,
    unwitnessed,
)
from atleastonce.history import History
from atleastonce.verdict import Verdict

PROMISE = "backs-off"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a message that was tried again though nothing was interrupted."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    if not case.poisons:
        raise Unjudgeable("no message was sent that keeps failing", occasion=False)
    attempts = case.option(PROMISE, "attempts")
    if attempts is None:
        raise Unjudgeable("the contract declares no attempts", occasion=False)
    case.ended()
    if (event := interruption(case.history.events)) is not None:
        raise Unjudgeable(f"messages may have been given back ({event.event})", occasion=False)
    tried = {copy: times for copy, times in _attempts(case).items() if len(times) > 1}
    if not tried:
        raise Unjudgeable("nothing was tried again", occasion=False)
    found = (_accused(case, copy, times, attempts) for copy, times in tried.items())
    if (verdict := next((each for each in found if each is not None), None)) is not None:
        return verdict
    case.became_quiet()
    reason = "; ".join(f"{copy} was tried {len(t)} times, {_said(t)}" for copy, t in tried.items())
    return Verdict(promise=PROMISE, outcome="kept", reason=f"{reason}, as declared")


def _attempts(case: Case) -> dict[str, list[float]]:
    """Return when each copy of a poison was handed to the service, first to last.

    A service of a chain counts for itself. Where there are several poisons, Kafka fetches them again with each
    other: then nothing tells whose attempt it is.
    """
    kinds = ("deliver",) if len(case.poisons) > 1 else ("deliver", "fetch")
    found: dict[tuple[str, str], list[float]] = {}
    for event in case.history.events:
        if is_delivered(event) and event.event in kinds and event.copy and event.message in case.poisons:
            found.setdefault((event.copy, event.service), []).append(event.t)
    longest: dict[str, list[float]] = {}
    for (copy, _), times in found.items():
        longest[copy] = max(longest.get(copy, []), times, key=len)
    return longest


def _accused(case: Case, copy: str, times: list[float], attempts: int) -> Verdict | None:
    """Accuse of too many attempts, of gaps that are too short or too long, or, once quiet, of too few."""
    return (
        _endless(copy, times, attempts)
        or _hot(case, copy, times)
        or _slow(case, copy, times)
        or _early(case, copy, times, attempts)
    )


def _endless(copy: str, times: list[float], attempts: int) -> Verdict | None:
    if len(times) <= attempts:
        return None
    said = f"{copy} was tried {len(times)} times, {attempts} declared"
    return _broken("endless: it is tried more often than declared", said, copy, surplus=True)


def _early(case: Case, copy: str, times: list[float], attempts: int) -> Verdict | None:
    if len(times) >= attempts:
        return None
    case.became_quiet()
    if copy.partition("#")[0] not in case.dead_lettered:
        case.witnessed(f"{copy} was tried {len(times)} times")
    said = f"{copy} was tried {len(times)} times, {attempts} declared"
    return _broken("it stops early: it is tried less often than declared", said, copy)


def _hot(case: Case, copy: str, times: list[float]) -> Verdict | None:
    for number, (gap, declared) in enumerate(_gaps(case, times), start=1):
        least = declared * (1 - _jitter(case)) - _tolerance(case)
        if gap < least:
            said = f"gap {number} of {copy}: {gap:.3f} s, at least {least:.3f} s declared"
            if (late := late_canary(case.history.events)) is not None:
                raise Unjudgeable(f"{late}; {said}")
            return _broken("hot: it is tried again sooner than declared", said, copy)
    return None


def _slow(case: Case, copy: str, times: list[float]) -> Verdict | None:
    for number, (gap, declared) in enumerate(_gaps(case, times), start=1):
        most = declared * (1 + _jitter(case)) + _tolerance(case)
        if gap > most:
            said = f"gap {number} of {copy}: {gap:.3f} s, at most {most:.3f} s declared"
            if (excuse := unwitnessed(case.history.events)) is not None:
                raise Unjudgeable(f"{excuse}; {said}")
            return _broken("it is tried again later than declared", said, copy)
    return None


def _gaps(case: Case, times: list[float]) -> list[tuple[float, float]]:
    """Return each gap beside the declared one; none where no gaps are declared."""
    declared: list[float] = case.option(PROMISE, "schedule", [])
    if not declared:
        return []
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return [(gap, declared[min(number, len(declared) - 1)]) for number, gap in enumerate(gaps)]


def _jitter(case: Case) -> float:
    return float(case.option(PROMISE, "jitter", 0.0))


def _tolerance(case: Case) -> float:
    return float(case.option(PROMISE, "tolerance", 0.0))


def _broken(reason: str, said: str, copy: str, *, surplus: bool = False) -> Verdict:
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=reason,
        evidence=(said,),
        blamed=(copy.partition("#")[0],),
        surplus=surplus,
    )


def _said(times: list[float]) -> str:
    gaps = [f"{later - earlier:.2f}" for earlier, later in pairwise(times)]
    return f"{' s, '.join(gaps)} s apart"
