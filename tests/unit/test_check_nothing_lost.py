"""nothing-lost: every confirmed input has its effect, or lies in the dead-letter queue."""

from typing import Any

import pytest

from atleastonce.checks import nothing_lost
from atleastonce.checks.case import unseen
from atleastonce.schedule import Action
from atleastonce.verdict import Verdict
from histories import Seen, history, seen

CALM = "published m1#1; deliver m1#1; ack m1#1; published m2#1; deliver m2#1; ack m2#1; quiet"
WAITED = CALM + "; canary: took 0.2 s"
BOTH = seen({"/stock": 8, "/r/<m1.id>": 1, "/r/<m2.id>": 1}, "m1:a m2:b")
LOST = seen({"/stock": 9, "/r/<m1.id>": 1}, "m1:a")


def judged(happened: str, faulty: Seen | None, clean: Seen = BOTH) -> Verdict:
    """Judge a history of two messages that began with ten in stock."""
    return nothing_lost.check(history(happened, clean, faulty, before={"/stock": 10}))


def test_all_effects_there_is_kept() -> None:
    """A confirmed input whose effect is that of the clean run is not lost; no canary is needed for that."""
    assert judged(CALM, BOTH) == Verdict(
        promise="nothing-lost", outcome="kept", reason="m1, m2 had their effect"
    )


def test_sentinel_that_came_twice_lacks_nothing() -> None:
    """Another effect of it is the business of effects-once, like that of a message of the schedule."""
    clean, twice = (BOTH._replace(values={**BOTH.values, "/seen": {"times": n}}) for n in ("x", "xx"))
    again = "deliver sentinel#1; deliver sentinel#1 again; ack sentinel#1; quiet; canary"
    outcomes = [judged(CALM.replace("quiet", end), twice, clean).outcome for end in (again, "quiet; canary")]
    assert outcomes == ["kept", "broken"]


def test_missing_effect_is_broken() -> None:
    """Whatever a clean run showed and this one does not is evidence, and blamed where it names a message."""
    assert judged(WAITED, LOST) == Verdict(
        promise="nothing-lost",
        outcome="broken",
        reason="a confirmed input has no effect, or less than its whole effect",
        evidence=(
            "/r/<m2.id> $: no change, expected +1 (clean run)",
            "/stock $: -1, expected -2 (clean run)",
            "outputs of m2 in out: none, expected 1 (clean run)",
        ),
        blamed=("m2",),
    )


def test_half_an_effect_is_broken() -> None:
    """State without the output that belongs to it is less than the whole effect."""
    verdict = judged(WAITED, BOTH._replace(outputs="m1:a"))
    assert verdict.evidence == ("outputs of m2 in out: none, expected 1 (clean run)",)


def test_surplus_is_not_charged_here() -> None:
    """More than the clean effect is the business of effects-once."""
    assert judged(WAITED, BOTH._replace(outputs="m1:a m1:c m2:b")).outcome == "kept"


def test_other_effect_is_charged_here_only_where_nothing_came_twice() -> None:
    """A difference that is neither more nor less goes to the promise whose fault the schedule holds."""
    clean, other = seen({"/r/<m1.id>": "reserved"}), seen({"/r/<m1.id>": "refused"})
    once, twice = WAITED, WAITED.replace("deliver m1#1", "deliver m1#1; closed; deliver m1#1 again")
    assert [judged(each, other, clean).outcome for each in (once, twice)] == ["broken", "kept"]
    beside = WAITED.replace("deliver m2#1", "deliver m2#1; closed; deliver m2#1 again")
    assert beside != WAITED
    assert judged(beside, other, clean).outcome == "broken"


@pytest.mark.parametrize(
    ("happened", "excuse"),
    [
        (CALM, "no canary kept the time beside the service"),
        (CALM + "; canary! took 9 s", "the machine was too slow for the canary too (took 9 s)"),
        (WAITED + "; canary! took 9 s", "the machine was too slow for the canary too (took 9 s)"),
    ],
    ids=["no canary", "late", "late at last"],
)
def test_missing_effect_without_a_witness_is_unknown(happened: str, excuse: str) -> None:
    """A slow machine, or nobody to say that it was not, makes what is missing unknown."""
    faulty = BOTH._replace(outputs="m1:a")
    missing = "outputs of m2 in out: none, expected 1 (clean run)"
    assert judged(happened, faulty) == Verdict(
        promise="nothing-lost", outcome="unknown", reason=f"{excuse}; missing: {missing}"
    )


def test_last_canary_counts() -> None:
    """After a late canary the effect is awaited again: in time at last, it is a witness."""
    happened = CALM + "; canary! took 9 s; canary: took 0.2 s"
    assert judged(happened, LOST).outcome == "broken"


def test_late_canary_is_no_excuse_where_nothing_is_missing() -> None:
    """The canary speaks only of what is missing."""
    assert judged(CALM + "; canary! took 9 s", BOTH).outcome == "kept"


def test_dead_lettered_input_is_not_lost() -> None:
    """What lies in the dead-letter queue is set aside, the share of a sum that it explains included."""
    assert judged(WAITED, LOST._replace(dead="m2")) == Verdict(
        promise="nothing-lost",
        outcome="kept",
        reason="m1 had their effect; m2 in the dead-letter queue",
    )


def test_dead_letter_does_not_excuse_another_message() -> None:
    """With m1 in the dead-letter queue, m2 is as lost as without."""
    verdict = judged(WAITED, seen({"/stock": 10}, dead="m1"))
    assert (verdict.outcome, verdict.blamed) == ("broken", ("m2",))


def test_dead_letter_without_a_name_leaves_open_what_is_missing() -> None:
    """A dead letter that lost its headers may be any message: nobody is accused."""
    verdict = judged(WAITED, LOST._replace(dead="?"))
    assert (verdict.outcome, verdict.reason.partition(":")[0]) == (
        "unknown",
        "a dead letter names no message, and may be what is missing",
    )


def test_sum_cannot_tell_a_dead_letter_from_a_loss() -> None:
    """Where effects are seen in a sum only, a dead letter and a lost message look alike."""
    clean = seen({"/stock": 8})
    verdict = judged(WAITED, seen({"/stock": 9}, dead="m1"), clean)
    assert verdict == Verdict(
        promise="nothing-lost",
        outcome="unknown",
        reason="a dead letter or m2 may be what is missing: /stock $: -1, expected -2 (clean run)",
    )


def test_missing_list_entry_is_blamed_on_the_message_it_names() -> None:
    """A list of everything, one entry short, names who is missing."""
    clean, faulty = seen({"/all": ["<m1.id>", "<m2.id>"]}), seen({"/all": ["<m1.id>"]})
    verdict = judged(WAITED, faulty, clean)
    assert (verdict.outcome, verdict.evidence, verdict.blamed) == (
        "broken",
        ("/all $: 1 added, 0 removed, expected 2 added, 0 removed (clean run)",),
        ("m2",),
    )


@pytest.mark.parametrize(
    ("end", "short", "outcome"),
    [
        ("unshown! no effect; canary", "m1:a m2:b", "broken"),
        ("unshown! no effect; canary", "m1:a m2:b sentinel:c", "kept"),
        ("unshown! no effect; canary! took 9 s", "m1:a m2:b", "unknown"),
        ("quiet! m2#1 waits; canary", "m1:a m2:b", "unknown"),
        ("declined sentinel#1; unshown! no effect; canary", "m1:a m2:b", "kept"),
    ],
    ids=["lost", "late", "slow machine", "waits", "declined"],
)
def test_last_message_may_be_what_is_lost(end: str, short: str, outcome: str) -> None:
    """Where all is settled but its effect, it is the same as any other, and nobody's name is to blame."""
    clean = BOTH._replace(outputs="m1:a m2:b sentinel:c")
    verdict = judged(CALM.replace("quiet", end), BOTH._replace(outputs=short), clean)
    assert verdict.outcome == outcome, verdict
    if outcome == "broken":
        assert verdict.evidence == ("outputs of sentinel in out: none, expected 1 (clean run)",)
        assert verdict.blamed == ()


@pytest.mark.parametrize("actions", [(), (Action(cut="shop"),)])
@pytest.mark.parametrize("promised", [{}, {"recovers": {}}])
def test_what_waits_behind_a_cut_is_not_lost(actions: tuple[Action, ...], promised: dict[str, Any]) -> None:
    """Whether it goes on is the business of recovers; where nobody promises that, it is no occasion."""
    stuck = CALM.replace("quiet", "quiet! m2#1 waits; canary")
    verdict = nothing_lost.check(
        history(stuck, BOTH, LOST, before={"/stock": 10}, actions=actions, promised=promised)
    )
    assert (verdict.outcome, verdict.occasion) == ("unknown", not actions or bool(promised))


@pytest.mark.parametrize(
    ("happened", "clean", "reason"),
    [
        ("deliver m1#1; ack m1#1; quiet", BOTH, "nothing was confirmed"),
        (CALM, seen({"/stock": 10, "/r/<other.id>": 1}), str(unseen("what was confirmed"))),
    ],
    ids=["nothing confirmed", "effect not observed"],
)
def test_no_occasion(happened: str, clean: Seen, reason: str) -> None:
    """Nothing is owed where nothing was confirmed, or where no effect could be seen: only then more can be observed."""
    assert judged(happened, clean, clean) == Verdict(
        promise="nothing-lost", outcome="unknown", reason=reason, occasion=False
    )


@pytest.mark.parametrize(
    "happened",
    [
        WAITED.replace("quiet", "unsprung! kill before ack(m1); quiet"),
        WAITED.replace("quiet", "quiet! m1#1 waits"),
        WAITED.replace("quiet", "buried! no close-ok; quiet"),
        WAITED.replace("quiet; ", ""),
    ],
    ids=["unsprung", "not quiet", "burial failed", "never quiet"],
)
def test_run_that_went_wrong_accuses_nobody(happened: str) -> None:
    """Effects that are missing after a run which did not go as planned are unknown."""
    verdict = judged(happened, LOST)
    assert (verdict.outcome, verdict.occasion) == ("unknown", True)


def test_run_that_went_wrong_keeps_nothing_either() -> None:
    """Not quiet and all effects there: unknown is not kept."""
    assert judged(CALM.replace("quiet", "quiet! m1#1 waits"), BOTH).outcome == "unknown"
