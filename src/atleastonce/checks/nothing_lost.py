"""nothing-lost: every input the broker confirmed has its effect, or lies in the dead-letter queue.

Assumes that the history is quiet and its clean runs agree. A missing effect is accused only where the run
waited for it and the canary kept its time meanwhile; otherwise it is unknown. Linear in the events.
"""

from collections.abc import Collection

from atleastonce.checks.case import Case, Unjudgeable, evidence, judged, listed, unseen
from atleastonce.checks.settling import became_settled
from atleastonce.checks.totals import taken_back
from atleastonce.effects import Difference
from atleastonce.history import History
from atleastonce.schedule import SENTINEL
from atleastonce.verdict import Verdict

PROMISE = "nothing-lost"


def check(history: History) -> Verdict:
    """Judge a history; the occasion is a confirmed input whose clean effect is seen."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    became_settled(case)
    if stranded := _stranded(case):
        raise Unjudgeable(
            f"{listed(stranded)} was refused for good though the service depends on no other one for it, and has no "
            "effect: whoever asked gets it done no more"
        )
    owed = sorted(case.confirmed & case.seen)
    if not owed:
        nothing = Unjudgeable("nothing was confirmed", occasion=False)
        raise unseen("what was confirmed") if case.confirmed else nothing
    missing = _not_set_aside(case, owed)
    if not missing:
        return Verdict(promise=PROMISE, outcome="kept", reason=_what_became(case, owed))
    return case.lacking(PROMISE, missing, "a confirmed input has no effect, or less than its whole effect")


def _stranded(case: Case) -> list[str]:
    """Return what was declined without any effect by a service that had asked nobody else about it.

    Nothing was promised, so nothing is broken; but a key that was taken before the work was done, and lost its work
    to a crash, answers so for ever.
    """
    asked = {each.message for each in case.series} | {e.message for e in case.history.named("unreached")}
    short = {each.message for each in case.differences if each.kind == "deficit"}
    return [each for each in case.innocents if each in case.declined - asked and each in short]


def _not_set_aside(case: Case, owed: list[str]) -> tuple[Difference, ...]:
    """Return what is missing and not explained by a dead letter; raise Unjudgeable where that is open."""
    dead = case.dead_lettered
    missing = tuple(each for each in _missing(case) if each.message is None or each.message not in dead)
    if not missing or not dead:
        return missing
    if None in dead:
        raise Unjudgeable(
            f"a dead letter names no message, and may be what is missing: {_listed(missing)}; "
            "keep the headers or the body of what is dead-lettered"
        )
    if any(each.message for each in missing):
        return missing
    # It belongs to no message by name: the dead letters explain it where the others' effects are seen.
    seen = dead | case.named
    unseen = [message for message in owed if message not in seen]
    if unseen:
        raise Unjudgeable(f"a dead letter or {', '.join(unseen)} may be what is missing: {_listed(missing)}")
    return ()


def _missing(case: Case) -> tuple[Difference, ...]:
    """Return what confirmed inputs lack; other differences only where they did not come twice (rule 9).

    A total that differs is nobody's where anything came twice, or there was poison: the clean runs go without it. One
    that a copy has taken back is the business of effects-once.
    """
    refused = {message for message in case.innocents if message not in case.confirmed}
    refused |= case.declined & {SENTINEL}
    again = {*case.repeated}
    back = taken_back(case)
    lacking = (each for each in case.differences if each not in back and _lacks(case, each, again))
    missing = tuple(each for each in lacking if each.message not in refused)
    if refused and missing and all(each.message is None for each in missing):
        if refused <= case.declined and case.explained(case.confirmed & case.seen):
            return ()
        raise Unjudgeable(f"{', '.join(refused)} was not accepted, and may be missing: {_listed(missing)}")
    return missing


def _lacks(case: Case, difference: Difference, repeated: Collection[str]) -> bool:
    """Tell whether a difference is something missing; what is just another one counts where nothing explains it."""
    if difference.kind != "differs":
        return difference.kind == "deficit"
    if difference.message in case.innocent:
        return difference.message not in repeated
    return not (repeated or case.deliveries[SENTINEL] > 1 or case.poisons)


def _listed(missing: tuple[Difference, ...]) -> str:
    return "; ".join(evidence(missing))


def _what_became(case: Case, owed: list[str]) -> str:
    aside = [message for message in owed if message in case.dead_lettered]
    effective = [message for message in owed if message not in case.dead_lettered]
    said = [f"{', '.join(effective)} had their effect"] if effective else []
    said += [f"{', '.join(aside)} in the dead-letter queue"] if aside else []
    return "; ".join(said)
