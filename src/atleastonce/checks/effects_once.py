"""effects-once: however often an input is delivered, its effect (state and outputs) is that of one delivery.

Assumes that the history is quiet and its clean runs agree; otherwise it is unknown. A difference that is a
deficit is not charged here but to nothing-lost. Linear in the events.
"""

from atleastonce.checks.case import Unjudgeable, blamed, evidence, open_case
from atleastonce.history import History
from atleastonce.verdict import Verdict

PROMISE = "effects-once"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is an input that was really delivered at least twice."""
    try:
        case = open_case(history)
        repeated = case.repeated()
        if not repeated:
            raise Unjudgeable("no input was delivered twice", occasion=False)
        seen = [message for message in repeated if message in case.seen]
        if not seen:
            raise Unjudgeable(
                f"a clean run shows no effect of {', '.join(repeated)}: observe more", occasion=False
            )
    except Unjudgeable as reason:
        return reason.verdict(PROMISE)
    more = tuple(difference for difference in case.differences if difference.kind != "deficit")
    if more:
        return Verdict(
            promise=PROMISE,
            outcome="broken",
            reason=f"delivered more than once, {', '.join(seen)} had another effect than one delivery has",
            evidence=evidence(more),
            blamed=blamed(more) or tuple(seen),
            surplus=any(difference.kind == "surplus" for difference in more),
        )
    return Verdict(
        promise=PROMISE, outcome="kept", reason=f"delivered more than once, {', '.join(seen)} had one effect"
    )
