"""nothing-lost: every input the broker confirmed has its effect, or lies in the dead-letter queue, once quiet.

Assumes that the history is quiet and its clean runs agree. A missing effect is accused only where the run waited
for it and the canary kept its time meanwhile; otherwise it is unknown. Linear in the events.
"""

from atleastonce.checks.case import Case, Unjudgeable, blamed, evidence, open_case, witnessed
from atleastonce.effects import Difference
from atleastonce.history import History
from atleastonce.verdict import Verdict

PROMISE = "nothing-lost"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a confirmed input whose clean effect is seen."""
    try:
        case = open_case(history)
        owed = sorted(case.confirmed & case.seen)
        if not owed:
            raise Unjudgeable("nothing was confirmed whose effect a clean run shows", occasion=False)
        missing = _missing(case)
        if missing and not witnessed(history):
            raise Unjudgeable(
                "effects are missing, but the machine was too slow for the canary too: "
                + "; ".join(evidence(missing))
            )
    except Unjudgeable as reason:
        return reason.verdict(PROMISE)
    if missing:
        return Verdict(
            promise=PROMISE,
            outcome="broken",
            reason="a confirmed input has no effect, or less than its whole effect",
            evidence=evidence(missing),
            blamed=blamed(missing),
        )
    return Verdict(promise=PROMISE, outcome="kept", reason=f"{', '.join(owed)} had their effect")


def _missing(case: Case) -> tuple[Difference, ...]:
    """Return what is missing and not set aside; other differences only where no input came twice (rule 9)."""
    kinds = {"deficit"} if case.repeated() else {"deficit", "differs"}
    short = (each for each in case.differences if each.kind in kinds)
    excused = case.dead_lettered | ({None} if case.dead_lettered else set())
    return tuple(each for each in short if each.message not in excused)
