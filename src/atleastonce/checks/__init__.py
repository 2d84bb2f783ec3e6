"""One check per promise: a pure function from a history to a verdict.

A promise of `atleastonce.promises` that is missing here cannot be judged by this version: it is *unknown*.
"""

from collections.abc import Callable

from atleastonce.checks import (
    accepts_honestly,
    backlog_drains,
    backs_off,
    effects_once,
    keeps_order,
    nothing_lost,
    poison_set_aside,
    recovers,
    replays_identically,
    tells_health,
)
from atleastonce.history import History
from atleastonce.verdict import Verdict

Check = Callable[[History], Verdict]

CHECKS: dict[str, Check] = {
    "nothing-lost": nothing_lost.check,
    "effects-once": effects_once.check,
    "poison-set-aside": poison_set_aside.check,
    "backlog-drains": backlog_drains.check,
    "recovers": recovers.check,
    "keeps-order": keeps_order.check,
    "replays-identically": replays_identically.check,
    "accepts-honestly": accepts_honestly.check,
    "backs-off": backs_off.check,
    "tells-health": tells_health.check,
}


def judge(history: History, promise: str) -> Verdict:
    """Return what a history says of a promise; raise KeyError for a promise that does not exist."""
    if history.header.schedule.replays and promise != replays_identically.PROMISE:
        reason = f"the log is read twice, which only {replays_identically.PROMISE} is about"
        return Verdict(promise=promise, outcome="unknown", reason=reason, occasion=False)
    return CHECKS[promise](history)
