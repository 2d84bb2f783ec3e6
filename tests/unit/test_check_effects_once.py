"""effects-once: the effect of an input delivered twice is that of one delivery."""

import pytest

from atleastonce.checks import effects_once, nothing_lost
from atleastonce.checks.case import unseen
from atleastonce.history import History
from atleastonce.schedule import Trap
from atleastonce.verdict import Verdict
from histories import Seen, history, seen

TWICE = "published m1#1; deliver m1#1; closed; deliver m1#1 again; ack m1#1; quiet"
ONE = seen({"/stock": 9}, "m1:a")
KILL = Trap(when="before", event="ack", message="m1", do="kill")


def judged(happened: str = TWICE, clean: Seen = ONE, faulty: Seen | None = ONE) -> Verdict:
    """Judge a history that began with nine in stock and ten expected."""
    return effects_once.check(history(happened, clean, faulty, before={"/stock": 10}))


def test_one_effect_of_two_deliveries_is_kept() -> None:
    """A redelivered message whose effect is that of the clean run keeps the promise."""
    assert judged() == Verdict(
        promise="effects-once", outcome="kept", reason="delivered more than once, m1 had one effect"
    )


def test_second_effect_on_the_state_is_broken() -> None:
    """A number that changed by twice the clean change is a surplus, and blamed on the repeated message."""
    assert judged(faulty=seen({"/stock": 8}, "m1:a")) == Verdict(
        promise="effects-once",
        outcome="broken",
        reason="m1 had another effect than one delivery has; delivered more than once: m1",
        evidence=("/stock $: -2, expected -1 (clean run)",),
        blamed=("m1",),
        totals=True,
        surplus=False,  # a total names no message: it must be seen again
    )


def test_output_under_a_new_id_is_a_second_effect() -> None:
    """Two outputs of one input under two ids are two effects."""
    verdict = judged(faulty=seen({"/stock": 9}, "m1:a m1:b"))
    assert (verdict.outcome, verdict.surplus, verdict.evidence) == (
        "broken",
        True,
        ("outputs of m1 in out: 2, expected 1 (clean run)",),
    )


def test_output_under_the_same_id_is_one_output() -> None:
    """A service may send an output again under its stable id: at-least-once is what it may promise."""
    assert judged(faulty=seen({"/stock": 9}, "m1:a m1:a")).outcome == "kept"


def test_outputs_without_an_id_all_count() -> None:
    """Where the contract declares no id, a second equal output is a second effect; and that is said."""
    clean = seen({"/stock": 9}, "m1")
    verdict = judged(clean=clean, faulty=seen({"/stock": 9}, "m1 m1"))
    why = "outputs of m1 in out: 2, expected 1 (clean run); each counts, since no output.id tells them apart"
    assert (verdict.outcome, verdict.evidence) == ("broken", (why,))


def test_another_effect_is_broken_and_no_surplus() -> None:
    """An effect that differs without being more is charged here too, once an input came twice."""
    clean, faulty = seen({"/r/<m1.id>": "reserved"}), seen({"/r/<m1.id>": "refused"})
    verdict = judged(clean=clean, faulty=faulty)
    assert (verdict.outcome, verdict.surplus, verdict.blamed) == ("broken", False, ("m1",))


def test_what_is_behind_is_not_charged_here() -> None:
    """A state that is still what it was at first: of a message that came once, or whose output is missing as well."""
    clean = seen({"/r/<m1.id>": "done", "/r/<m2.id>": "done"}, "m1:a")
    behind = seen({"/r/<m1.id>": "done", "/r/<m2.id>": "new"}, "m1:a")
    assert judged("published m2#1; deliver m2#1; ack m2#1; " + TWICE, clean, behind).outcome == "kept"
    assert judged(TWICE, clean, seen({"/r/<m1.id>": "new", "/r/<m2.id>": "done"})).outcome == "kept"
    assert judged(TWICE, clean, seen({"/r/<m1.id>": "new", "/r/<m2.id>": "done"}, "m1:a")).blamed == ("m1",)


def test_a_larger_total_beside_what_is_missing_may_come_of_that() -> None:
    """A refund that is lost leaves a total larger: that is no second effect."""
    clean, faulty = seen({"/sum": 16, "/r/<m1.id>": "paid"}), seen({"/sum": 20})
    verdict = judged(clean=clean, faulty=faulty)
    assert (verdict.outcome, verdict.occasion) == ("unknown", True)
    assert "may come of what is missing: /r/<m1.id> $" in verdict.reason
    both = judged(clean=clean, faulty=seen({"/sum": 20, "/r/<m1.id>": "paid"}))
    assert both.outcome == "broken"


def test_missing_effect_is_not_charged_here() -> None:
    """A lost effect is the business of nothing-lost."""
    assert judged(faulty=seen({"/stock": 10})).outcome == "kept"


def test_a_total_that_a_copy_has_taken_back_is_charged_here() -> None:
    """A second refund: all that names a message is there, and where nothing was interrupted, nothing can be lost."""
    calm = "published m1#1; deliver m1#1; ack m1#1; published m1#2; deliver m1#2; ack m1#2; quiet; canary"
    clean, less = seen({"/stock": 6}, "m1:a"), seen({"/stock": 9}, "m1:a")

    def found(happened: str, faulty: Seen, **promised: dict[str, float]) -> dict[str, str]:
        given = history(happened, clean, faulty, before={"/stock": 10}, promised=promised)
        checks = {"once": effects_once.check, "lost": nothing_lost.check}
        return {name: check(given).outcome for name, check in checks.items()}

    both: dict[str, dict[str, float]] = {"effects-once": {}, "nothing-lost": {}}
    assert found(calm, less, **both) == {"once": "broken", "lost": "kept"}
    assert found(calm, seen({"/stock": 10}), **both) == {"once": "kept", "lost": "broken"}
    # Behind an interruption a part of the effect may be lost: then it is for nothing-lost to say, if anybody asks.
    assert found(f"{TWICE}; canary", less, **both) == {"once": "kept", "lost": "broken"}
    assert found(f"{TWICE}; canary", less, **{"effects-once": {}})["once"] == "unknown"


def test_effect_of_a_message_that_came_once_is_blamed_on_it() -> None:
    """A crash that repeats m1 may double m2: the evidence decides who is blamed."""
    happened = "published m2#1; deliver m2#1; ack m2#1;" + TWICE
    verdict = judged(happened, faulty=seen({"/stock": 9}, "m1:a m2:x"))
    assert (verdict.outcome, verdict.blamed) == ("broken", ("m2",))


def test_effect_of_what_was_aborted_is_broken() -> None:
    """A reader of what is not committed takes it; one that dedupes would take it for the copy behind it."""
    aborted = "aborted m2#1; published m1#1; fetch m1#1; response m1#1; quiet"
    verdict = judged(aborted, seen(outputs="m1:a"), seen(outputs="m1:a m2:b"))
    assert (verdict.outcome, verdict.reason, verdict.surplus) == (
        "broken",
        "m2 had an effect, though the only transaction that sent it was aborted",
        True,
    )
    kept = judged(f"published m2#2; {aborted}", seen(outputs="m1:a"), seen(outputs="m1:a m2:b"))
    assert (kept.outcome, kept.occasion) == ("unknown", False)


ONCE = "published m1#1; deliver m1#1; ack m1#1; kill *shop; start *shop; quiet"


def test_second_effect_of_what_came_once_is_broken() -> None:
    """An outbox that is sent again behind a crash, under no id of its own: nobody delivered the input twice."""
    clean, twice = seen({"/stock": 9}, "m1"), seen({"/stock": 9}, "m1 m1")
    why = "outputs of m1 in out: 2, expected 1 (clean run); each counts, since no output.id tells them apart"
    assert judged(ONCE, clean, twice) == Verdict(
        promise="effects-once",
        outcome="broken",
        reason="m1 had another effect than one delivery has, though it was delivered once",
        evidence=(why,),
        blamed=("m1",),
        surplus=True,
    )


@pytest.mark.parametrize(
    ("happened", "faulty"),
    [
        (ONCE, ONE),
        (ONCE, seen({"/stock": 8}, "m1:a")),
        (ONCE, seen({"/stock": 9}, "m1:a ?:b")),
        (ONCE.replace("kill *shop; start *shop; ", ""), seen({"/stock": 9}, "m1:a m1:b")),
        (f"published p1#1; {ONCE}", seen({"/stock": 9}, "m1:a m1:b")),
    ],
    ids=["one effect", "a total", "an output of nobody", "no interruption", "poison"],
)
def test_what_came_once_is_accused_of_a_second_effect_of_its_own_alone(happened: str, faulty: Seen) -> None:
    """A total may follow the clock, and what names no message may tell of the crash itself."""
    verdict = judged(happened, ONE, faulty)
    assert (verdict.outcome, verdict.occasion, verdict.reason) == (
        "unknown",
        False,
        "no input was delivered twice",
    )


@pytest.mark.parametrize(
    "happened",
    [
        "published m1#1; deliver m1#1; ack m1#1; quiet",
        "published m1#1; published m1#2; deliver m1#1; ack m1#1; quiet",
        "published m1#1; deliver m1#1; ack m1#1; deliver sentinel#1; deliver sentinel#1; quiet",
    ],
    ids=["delivered once", "second copy never delivered", "only the sentinel twice"],
)
def test_no_occasion(happened: str) -> None:
    """Without an input that was really delivered twice nothing is proved, whatever was seen."""
    assert judged(happened, faulty=seen({"/stock": 7})) == Verdict(
        promise="effects-once", outcome="unknown", reason="no input was delivered twice", occasion=False
    )


def test_two_copies_delivered_once_each_are_an_occasion() -> None:
    """A publisher that sends again makes a second copy of the same message."""
    happened = "published m1#1; published m1#2; deliver m1#1; deliver m1#2; ack m1#1; ack m1#2; quiet"
    assert judged(happened).outcome == "kept"


def test_effect_that_is_not_observed_is_unknown() -> None:
    """Where the clean run shows no effect of the repeated message, a second one would not show either."""
    clean = seen({"/stock": 10, "/r/<m2.id>": 1})
    verdict = judged("published m2#1;" + TWICE, clean=clean, faulty=clean)
    assert verdict == Verdict(
        promise="effects-once",
        outcome="unknown",
        reason=str(unseen("what was delivered more than once")),
        occasion=False,
    )


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (
            TWICE.replace("quiet", "unsprung! kill before ack(m1); quiet"),
            "the trap did not spring: kill before ack(m1)",
        ),
        (
            TWICE.replace("quiet", "quiet! m1#1 waits"),
            "not quiet in time: m1#1 waits",
        ),
        (
            TWICE.replace("quiet", "buried! no close-ok; quiet"),
            "the links of the dead service could not be ended in order: no close-ok",
        ),
        (
            TWICE.replace("quiet", "unreadable! API 99; quiet"),
            "the relay could not read a frame that it must know: API 99",
        ),
        (
            TWICE.replace("quiet", "recorder! disk full; quiet"),
            "the recorder failed: disk full",
        ),
        (
            TWICE.replace("quiet", "published! m2#1 refused; quiet").replace(
                "published! m2#1", "published m2#1!"
            ),
            "the broker did not confirm m2#1: refused",
        ),
        (
            TWICE.replace("; quiet", ""),
            "the history does not say that the service became quiet",
        ),
    ],
    ids=["unsprung", "not quiet", "burial", "unreadable frame", "recorder", "unconfirmed", "never quiet"],
)
def test_what_went_wrong_is_said(happened: str, reason: str) -> None:
    """A run that did not go as planned accuses nobody, not even of a surplus, and says why."""
    assert judged(happened, faulty=seen({"/stock": 8})) == Verdict(
        promise="effects-once", outcome="unknown", reason=reason
    )


def test_trap_of_the_schedule_must_have_sprung() -> None:
    """A history that does not tell of the trap proves nothing, even if it tells of no failure."""
    surplus = seen({"/stock": 8}, "m1:a")
    silent = history(TWICE, ONE, surplus, before={"/stock": 10}, traps=(KILL,))
    sprung = history(
        TWICE + "; sprung: kill before ack(m1)", ONE, surplus, before={"/stock": 10}, traps=(KILL,)
    )
    assert [effects_once.check(each).outcome for each in (silent, sprung)] == ["unknown", "broken"]


def test_clean_runs_that_differ_prove_nothing() -> None:
    """What differs between two clean runs depends on order or time; the paths are named, the first three."""
    clean = seen(dict.fromkeys("abcd", 1))
    other = seen(dict.fromkeys("abcd", 2))
    assert effects_once.check(history(TWICE, clean, clean, again=other)).reason == (
        "two clean runs differ, so these prove nothing: a $, b $, c $ and 1 more; "
        "see observe.ignore, or, where it only comes late, observe.settles"
    )


def test_ignored_paths_may_differ() -> None:
    """What the contract ignores is compared nowhere: neither between clean runs nor with the faulty one."""
    runs = [seen({"/r": {"n": 1, "at": at}}) for at in ("noon", "one", "two")]
    given = history(TWICE, runs[0], runs[2], again=runs[1], ignore=("$.at",))
    assert effects_once.check(given).outcome == "kept"


def _without(moment: str) -> History:
    whole = history(TWICE, ONE, ONE)
    kept = tuple(each for each in whole.observations if each.observed != moment)
    return History(header=whole.header, events=whole.events, observations=kept)


@pytest.mark.parametrize(
    ("moment", "when"),
    [
        ("before", "before the faults"),
        ("clean-1", "of the first clean run"),
        ("clean-2", "of the second clean run"),
        ("faulty", "after the faults"),
    ],
)
def test_every_observation_is_needed(moment: str, when: str) -> None:
    """One clean run is no expectation, and without a snapshot there is nothing to compare."""
    verdict = effects_once.check(_without(moment))
    assert (verdict.outcome, verdict.reason) == ("unknown", f"there is no observation {when}")


def test_missing_observation_is_explained_by_the_first_failure() -> None:
    """A run that broke off says why, not merely that nothing was observed."""
    verdict = judged("published m1#1; ready! shop did not get ready", faulty=None)
    assert verdict.reason == "shop did not get ready"


def test_unreadable_observation_is_unknown() -> None:
    """Effects that could not be read are no effects that are missing."""
    verdict = judged(faulty=seen(unreadable="GET /stock answered 500"))
    assert verdict == Verdict(
        promise="effects-once",
        outcome="unknown",
        reason="the observation after the faults failed: GET /stock answered 500",
    )


def test_a_write_point_that_was_not_reached_gave_no_occasion() -> None:
    """The message took fewer system calls: that ends a walk, and is no failure."""
    point = Trap(event="write", nth=9, during="m1", do="kill")
    verdict = effects_once.check(history(TWICE, ONE, ONE, before={"/stock": 10}, traps=(point,)))
    assert verdict == Verdict(
        promise="effects-once",
        outcome="unknown",
        occasion=False,
        reason="the trap did not spring: kill at write 9 of m1",
    )


def test_a_service_that_cannot_be_traced_is_not_judged() -> None:
    """The reason is told as it is."""
    verdict = judged("untraced m1! the system calls of the service cannot be traced; " + TWICE)
    assert (verdict.outcome, verdict.reason) == (
        "unknown",
        "the system calls of the service cannot be traced",
    )
