"""effects-once: however often an input is delivered, its effect (state and outputs) is that of one delivery.

Assumes that the history is quiet and its clean runs agree; otherwise it is unknown. A difference that is a
deficit is not charged here but to nothing-lost, as is what differs of a message that came once; only a total that a
copy has taken back is (`totals`). What poison did is not charged at all, nor what became of a request that was
declined for good. Between services that ask each other over HTTP, an input is also delivered twice where one asked
another twice, and a surplus is accused once it had its time to be taken back. Only what came twice shows the promise
kept; a second effect that names its message breaks it behind an interruption even where that came once, as of an
outbox that is sent again. Linear in the events.
"""

from collections.abc import Collection

from atleastonce.checks.case import Case, Unjudgeable, blamed, evidence, judged, listed, unseen
from atleastonce.checks.settling import became_settled
from atleastonce.checks.signs import interruption
from atleastonce.checks.totals import short_totals, taken_back
from atleastonce.effects import Difference
from atleastonce.history import History
from atleastonce.verdict import Verdict

PROMISE = "effects-once"
_LOST = "nothing-lost"
"""The promise that deficits are charged to."""


def check(history: History) -> Verdict:
    """Judge a history; the occasion is an input that was really delivered at least twice."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    became_settled(case)
    differences, repeated = case.differences, case.repeated
    if (verdict := _never_sent(case)) is not None:
        return verdict
    if not repeated:
        return _done_again(case)
    seen = [message for message in repeated if message in case.seen]
    if not seen:
        raise unseen("what was delivered more than once")
    less = taken_back(case)
    more = _more(case, less)
    if not more and (unclear := _unclear(case)):
        raise Unjudgeable(
            f"{'; '.join(evidence(unclear))}: {listed(repeated)} may have taken that back, coming again, or a part of "
            f"an effect is lost; promise {_LOST}, too"
        )
    if not more:
        reason = f"delivered more than once, {', '.join(seen)} had one effect"
        return Verdict(promise=PROMISE, outcome="kept", reason=reason)
    if case.poisons and not blamed(more):
        # The clean runs go without poison: nobody knows what a service may count, or note, of it.
        raise Unjudgeable(
            f"{', '.join(case.poisons)} may be what is more: {'; '.join(evidence(more))}", occasion=False
        )
    if not blamed(more) and (short := [e for e in differences if e.kind == "deficit" and e not in less]):
        # A refund that is lost leaves a total larger: what is less by name may be all there is to it.
        raise Unjudgeable(
            f"{'; '.join(evidence(more))} may come of what is missing: {'; '.join(evidence(short))}"
        )
    case.stands(more)
    named = blamed(more)
    guilty = named or tuple(seen)
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=f"{', '.join(guilty)} had another effect than one delivery has; "
        f"delivered more than once: {', '.join(repeated)}{_keys(case, guilty)}",
        evidence=evidence(more),
        blamed=guilty,
        totals=not named,
        # A total that names no message may hold what came late from an earlier case: it must be seen again.
        surplus=any(difference.kind == "surplus" and difference.message for difference in more),
    )


def _more(case: Case, less: Collection[Difference]) -> tuple[Difference, ...]:
    """Return what is charged here: what is too much or another, and these totals."""
    excused, behind = {*case.poisons, *case.declined}, _behind(case)
    return tuple(
        each
        for each in case.differences
        if each in less
        or (
            each.kind != "deficit"
            and each.message not in excused
            and not (each.kind == "differs" and each.message in behind)
        )
    )


def _unclear(case: Case) -> tuple[Difference, ...]:
    """Return the totals that are short, where it is nobody's business to say that something is lost."""
    return () if _LOST in case.history.header.declared.get("promised", {}) else short_totals(case)


def _never_sent(case: Case) -> Verdict | None:
    """Accuse of an effect of a message of which every copy was aborted: nobody who reads what is committed sees it."""
    aborted = {event.message for event in case.history.named("aborted")} - case.confirmed
    more = tuple(each for each in case.differences if each.kind != "deficit" and each.message in aborted)
    return (
        _by_name(more, "had an effect, though the only transaction that sent it was aborted")
        if more
        else None
    )


def _done_again(case: Case) -> Verdict:
    """Accuse of a second effect of what came once; raise Unjudgeable where there is none, for want of an occasion."""
    innocent = case.innocent - case.declined
    more = tuple(each for each in case.differences if each.kind == "surplus" and each.message in innocent)
    if not more or case.poisons or interruption(case.history) is None:
        raise Unjudgeable("no input was delivered twice", occasion=False)
    case.stands(more)
    return _by_name(more, "had another effect than one delivery has, though it was delivered once")


def _by_name(more: Collection[Difference], why: str) -> Verdict:
    """Accuse the messages that these differences name."""
    guilty = blamed(more)
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason=f"{', '.join(guilty)} {why}",
        evidence=evidence(more),
        blamed=guilty,
        surplus=True,
    )


def _behind(case: Case) -> frozenset[str]:
    """Return the messages whose state may be just behind: that they came once, or lack something else, explains it.

    A state that is still "new" is charged to nothing-lost then.
    """
    short = {each.message for each in case.differences if each.kind == "deficit" and each.message}
    return frozenset(short | ({*case.innocents} - {*case.repeated}))


def _keys(case: Case, guilty: Collection[str]) -> str:
    """Say it where attempts at one thing carried several idempotency keys: nobody could tell that they were one."""
    found = [each for each in case.series if each.message in guilty and each.keys > 1]
    said = (f"{each.call} was asked {len(each.attempts)} times under {each.keys} keys" for each in found)
    return "".join(f"; {each}" for each in dict.fromkeys(said))
