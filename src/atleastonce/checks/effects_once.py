"""effects-once: however often an input is delivered, its effect (state and outputs) is that of one delivery.

Assumes that the history is quiet and its clean runs agree; otherwise it is unknown. A difference that is a
deficit is not charged here but to nothing-lost. Linear in the events.
"""

from atleastonce.checks.case import Case, Unjudgeable, blamed, evidence, open_case
from atleastonce.history import History
from atleastonce.verdict import Verdict

PROMISE = "effects-once"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is an input that was really delivered at least twice."""
    try:
        return _judged(open_case(history))
    except Unjudgeable as reason:
        return reason.verdict(PROMISE)


def _judged(case: Case) -> Verdict:
    repeated = case.repeated()
    if not repeated:
        raise Unjudgeable("no input was delivered twice", occasion=False)
    seen = [message for message in repeated if message in case.seen]
    if not seen:
        raise Unjudgeable(
            f"a clean run shows no effect of {', '.join(repeated)}: observe more", occasion=False
        )
    more = tuple(difference for difference in case.differences if difference.kind != "deficit")
    if not more:
        reason = f"delivered more than once, {', '.join(seen)} had one effect"
        return Verdict(promise=PROMISE, outcome="kept", reason=reason)
    guilty = blamed(more) or tuple(seen)
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=f"{', '.join(guilty)} had another effect than one delivery has; "
        f"delivered more than once: {', '.join(repeated)}",
        evidence=evidence(more),
        blamed=guilty,
        # A total that names no message may hold what came late from an earlier case: it must be seen again.
        surplus=any(difference.kind == "surplus" and difference.message for difference in more),
    )
