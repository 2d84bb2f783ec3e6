"""Asks whether all that a case sent is settled, which is what promises about effects need."""

from atleastonce.checks.case import Case, Unjudgeable
from atleastonce.history import ENDS

_UNSHOWN = "unshown"


def became_settled(case: Case) -> None:
    """Raise Unjudgeable where it did not become quiet, unless all it lacked was the effect of the last message.

    Then all is settled, and what has no effect by now is as lost as that. Where a link was cut, and nobody promised to
    recover from that, what is not settled waits: that is no occasion.
    """
    if case.history.named(_UNSHOWN):
        case.went_as_planned(apart_from=(_UNSHOWN,))
    elif case.unquiet is not None and _was_cut_off(case) and not case.promises("recovers"):
        case.went_as_planned(apart_from=ENDS)
        raise Unjudgeable(f"{case.unquiet}; to recover from a cut is not promised", occasion=False)
    else:
        case.became_quiet()


def _was_cut_off(case: Case) -> bool:
    return case.planned("cut", "isolate", "restart") or any(
        trap.do == "cut" for trap in case.history.header.schedule.traps
    )
