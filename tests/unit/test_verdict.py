"""Verdicts over a run, and promises that no check can judge."""

import pytest

from atleastonce.checks import judge
from atleastonce.promises import PROMISES
from atleastonce.verdict import Outcome, Tally, Verdict, tally
from histories import history, seen


def verdict(outcome: Outcome, reason: str = "why", *, occasion: bool = True) -> Verdict:
    """Return a verdict of some promise."""
    return Verdict(promise="p", outcome=outcome, reason=reason, occasion=occasion)


def test_verdicts_are_counted_with_the_reasons_of_the_unknown() -> None:
    """Without an occasion a verdict says nothing, and counts nowhere; why is kept, the rarest reason first."""
    found = tally(
        [
            verdict("kept"),
            verdict("unknown", "late"),
            verdict("unknown", "late"),
            verdict("unknown", "about poison", occasion=False),
            verdict("unknown", "about poison", occasion=False),
            verdict("unknown", "about outages", occasion=False),
            verdict("unknown", "about outages", occasion=False),
            verdict("unknown", "no duplicate", occasion=False),
            verdict("broken"),
        ]
    )
    missed = "no duplicate; about outages"
    assert found == Tally(kept=1, broken=1, unknown=2, reasons={"late": 2}, missed=missed)


@pytest.mark.parametrize(
    ("kept", "broken", "unknown", "outcome"),
    [
        (0, 0, 0, "unknown"),
        (1, 0, 0, "kept"),
        (99, 1, 99, "broken"),
        (0, 0, 5, "unknown"),
        (99, 0, 1, "kept"),
        (98, 0, 1, "unknown"),
    ],
)
def test_verdict_over_a_run(kept: int, broken: int, unknown: int, outcome: str) -> None:
    """Broken if any is; kept only where few are unknown: one in a hundred at the most."""
    assert Tally(kept=kept, broken=broken, unknown=unknown).outcome == outcome


def test_failure_that_is_withdrawn_is_unknown() -> None:
    """What was broken and did not stand is unknown, and its reason is counted with the others."""
    was = Tally(kept=3, broken=2, unknown=1, reasons={"late": 1})
    assert was.withdrawn("late") == Tally(kept=3, unknown=3, reasons={"late": 3})


def test_every_promise_has_its_check() -> None:
    """One that nothing gave an occasion is unknown, and never kept."""
    judged = [judge(history("quiet", seen(), seen()), promise) for promise in PROMISES]
    assert {(each.outcome, each.occasion) for each in judged} == {("unknown", False)}


def test_promise_that_does_not_exist() -> None:
    """A promise that nobody can make cannot be judged: our own mistake."""
    with pytest.raises(KeyError, match="effects-twice"):
        judge(history("quiet", seen(), seen()), "effects-twice")
