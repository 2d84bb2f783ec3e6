"""Totals that name no message: whose business it is where one has changed by less than in a clean run."""

from atleastonce.checks.case import Case
from atleastonce.checks.signs import interruption
from atleastonce.effects import Difference


def short_totals(case: Case) -> tuple[Difference, ...]:
    """Return the totals that changed by less, where something came twice and all effects that name a message are there.

    Either a part of an effect is lost, or a copy has undone a part of the total, as a second refund does.
    """
    short = tuple(each for each in case.differences if each.kind == "deficit")
    if not short or not case.repeated or case.poisons or case.declined or not case.confirmed <= case.touched:
        return ()
    nameless = all(each.message is None and not each.where.startswith("outputs") for each in short)
    return short if nameless else ()


def taken_back(case: Case) -> tuple[Difference, ...]:
    """Return those of them that a copy has undone for certain: nothing was interrupted, so that nothing can be lost.

    They are the business of effects-once, not of nothing-lost.
    """
    short, schedule = short_totals(case), case.history.header.schedule
    # Asked last, and seldom: it may have to look at every event.
    disturbed = short and (
        schedule.traps or schedule.verbs - {"publish"} or interruption(case.history) is not None
    )
    return () if disturbed else short
