"""poison-set-aside: a poison ends in the dead-letter queue as it was sent, and nothing else ends there."""

from typing import Any

import pytest

from atleastonce.checks import poison_set_aside
from atleastonce.schedule import Trap
from atleastonce.verdict import Verdict
from histories import Seen, history, seen

PROMISE = "poison-set-aside"
AROUND = "published m1#1; deliver m1#1; ack m1#1; published p1#1; {}; published m2#1; deliver m2#1; ack m2#1"
CALM = AROUND.format("deliver p1#1; reject p1#1") + "; quiet; canary"
BOTH = seen({"/r/<m1.id>": 1, "/r/<m2.id>": 1}, "m1:a m2:b")
ASIDE = BOTH._replace(dead="p1")
TWICE = "published m1#1; published m1#2; deliver m1#1; ack m1#1; deliver m1#2; ack m1#2; quiet"
KEPT = Verdict(promise=PROMISE, outcome="kept", reason="p1 in the dead-letter queue as sent")
KILL = Trap(when="before", event="ack", message="m1", do="kill")


def judged(happened: str = CALM, faulty: Seen | None = ASIDE, clean: Seen = BOTH, **more: Any) -> Verdict:
    """Judge a history in which a poison may be tried three times."""
    promised = {PROMISE: {"attempts": 3}}
    return poison_set_aside.check(history(happened, clean, faulty, **{"promised": promised, **more}))


def broken(reason: str, *evidence: str, blamed: tuple[str, ...] = ("p1",), surplus: bool = True) -> Verdict:
    """Return the verdict that accuses for this reason."""
    return Verdict(
        promise=PROMISE, outcome="broken", reason=reason, evidence=evidence, blamed=blamed, surplus=surplus
    )


def test_poison_set_aside_is_kept() -> None:
    """A poison in the dead-letter queue, and innocents with their effects before and after it."""
    assert judged() == KEPT


def test_record_that_is_not_due_yet_is_no_attempt() -> None:
    """A topic of retries is read, paused and sought back; four records are one attempt more than may be."""
    waits = (
        "produce p1#1 >retry; " + "fetch p1#1 >retry &{0}; fetch p1#1 >retry &{0}; fetch p1#1 >retry &{0}; "
    )
    hops = [
        AROUND.format("fetch p1#1 >in &0; " + "".join(waits.format(n) for n in range(hop))) for hop in (2, 4)
    ]
    outcomes = [judged(f"{happened}; quiet; canary").outcome for happened in hops]
    assert outcomes == ["kept", "broken"]


def test_duplicate_that_is_not_set_aside_says_nothing_of_poison() -> None:
    """A duplicate alone may break the promise; that it is kept only a poison can show."""
    reason = "no poison was delivered, and no duplicate was set aside"
    assert judged(TWICE, seen()) == Verdict(promise=PROMISE, outcome="unknown", reason=reason, occasion=False)


def test_duplicate_in_the_dead_letter_queue_is_broken() -> None:
    """A service that takes its own record of a message for an error sets innocents aside."""
    assert judged(TWICE, seen(dead="m1"), seen()) == broken(
        "m1 was set aside although it is no poison", "m1 lies in the dead-letter queue", blamed=("m1",)
    )


def test_innocent_beside_a_poison_is_broken() -> None:
    """The sentinel is innocent, too; a letter that a clean run has as well is not accused."""
    assert judged(faulty=ASIDE._replace(dead="p1 sentinel")) == broken(
        "the sentinel was set aside although it is no poison",
        "the sentinel lies in the dead-letter queue",
        blamed=(),
    )
    clean = BOTH._replace(dead="m1")
    assert judged(faulty=ASIDE._replace(dead="p1 m1"), clean=clean) == KEPT


def test_poison_that_is_gone_is_broken() -> None:
    """Acknowledged and forgotten, or dead-lettered to where nothing is bound."""
    assert judged(faulty=BOTH) == broken(
        "p1 is not in the dead-letter queue, and was not given back either",
        "dead letters of p1: none",
        surplus=False,
    )


@pytest.mark.parametrize(
    "faulty",
    [BOTH._replace(outputs="m1:a m2:b p1:c"), BOTH._replace(values={**BOTH.values, "/r/<p1.id>": "done"})],
)
@pytest.mark.parametrize(("own", "outcome"), [(False, "unknown"), (True, "broken")])
def test_poison_of_ours_that_the_service_takes_for_a_message_is_unknown(
    faulty: Seen, own: bool, outcome: str
) -> None:
    """Any bytes may be a message to a service; what the contract names is poison whatever comes of it."""
    assert judged(faulty=faulty, own_poison=own).outcome == outcome


def test_poison_of_ours_that_is_gone_is_broken() -> None:
    """Without an effect of its own it was no message to the service either."""
    assert judged(faulty=BOTH, own_poison=False).outcome == "broken"


def test_letter_that_names_no_message_is_broken() -> None:
    """What lies there without body and headers of the poison is not the poison."""
    assert judged(faulty=BOTH._replace(dead="?")).reason == (
        "p1 is not in the dead-letter queue, unless as a letter that names no message: "
        "its body and headers were not kept"
    )


def test_rewritten_poison_is_broken() -> None:
    """Body and headers are what a person needs to find out what happened."""
    assert judged(faulty=BOTH._replace(dead="p1!body")) == broken(
        "p1 was set aside, but not as it was sent", "p1 in dead: body changed or lost"
    )


def test_second_letter_is_broken_where_nothing_crashed() -> None:
    """One letter for a copy; after a crash a second one is what at-least-once allows."""
    twice = ASIDE._replace(dead="p1 p1")
    again = CALM.replace("reject p1#1", "closed; deliver p1#1 again; reject p1#1")
    assert judged(faulty=twice) == broken(
        "p1 was set aside more than once though nothing crashed", "2 dead letters of p1, 1 expected"
    )
    assert judged(again, twice) == KEPT
    assert judged(CALM.replace("published p1#1;", "published p1#1; published p1#2;"), twice) == KEPT


@pytest.mark.parametrize(("passed_on", "outcome"), [("", "kept"), ("publish p1#1 >log; ", "broken")])
def test_poison_in_several_queues_may_be_set_aside_from_each(passed_on: str, outcome: str) -> None:
    """An exchange puts it into two queues of the service; one that the service passes it on to is none of these."""
    both = f"deliver p1#1 >in; {passed_on}reject p1#1; deliver p1#1 >log; reject p1#1"
    assert judged(AROUND.format(both) + "; quiet; canary", ASIDE._replace(dead="p1 p1")).outcome == outcome


@pytest.mark.parametrize(("tries", "outcome"), [(4, "kept"), (5, "broken")])
def test_attempts_are_bounded(tries: int, outcome: str) -> None:
    """A broker with a delivery limit of three delivers four times; five are too many."""
    happened = AROUND.format("; ".join(["deliver p1#1; requeue p1#1"] * (tries - 1) + ["deliver p1#1"]))
    assert judged(happened + "; reject p1#1; quiet").outcome == outcome


@pytest.mark.parametrize(("tries", "outcome"), [(4, "kept"), (5, "broken")])
def test_attempts_are_bounded_for_each_queue_that_an_exchange_fills(tries: int, outcome: str) -> None:
    """Two consumers of one service, a queue each: both may try it as often as one."""
    each = (f"deliver p1#1 >{queue}; requeue p1#1; " * (tries - 1) for queue in ("in", "log"))
    last = "deliver p1#1 >in; reject p1#1; deliver p1#1 >log; reject p1#1"
    both = ASIDE._replace(dead="p1 p1")
    assert judged(AROUND.format("".join(each) + last) + "; quiet; canary", both).outcome == outcome


def test_interruption_costs_an_attempt_and_an_exit_does_not() -> None:
    """A crash of our making gives the poison back; a service that dies of it has tried it."""
    again = "deliver p1#1; {} *shop; closed;"
    for way, outcome in (("kill", "kept"), ("exit", "broken")):
        happened = AROUND.format(again.format(way) + "deliver p1#1;" * 4) + "; ack p1#1; quiet"
        assert judged(happened).outcome == outcome


@pytest.mark.parametrize(("tries", "outcome"), [(8, "kept"), (9, "broken")])
def test_a_crash_may_cost_all_attempts_again(tries: int, outcome: str) -> None:
    """Who counts in its memory begins anew, and who tries by copies has two to try: four times two, and the crash."""
    happened = "deliver p1#1; kill *shop; closed; start *shop" + "; deliver p1#1; requeue p1#1" * tries
    assert judged(AROUND.format(happened) + "; reject p1#1; quiet").outcome == outcome


def test_a_step_that_a_poison_did_not_take_again_gave_no_occasion() -> None:
    """How one is set aside may differ from run to run; of an innocent message that is unknown."""
    for message, occasion in (("p1", False), ("m1", True)):
        trap = Trap(when="after", event="nack", message=message, do="kill")
        verdict = judged(traps=(trap,))
        assert (verdict.outcome, verdict.occasion) == ("unknown", occasion)


def test_poison_that_is_requeued_for_ever_is_broken() -> None:
    """Deliveries are counted, whether or not the case became quiet, and without a canary."""
    happened = AROUND.format("deliver p1#1; requeue p1#1;" * 5) + "; looped! p1#1 was delivered 5 times"
    assert judged(happened, None) == broken(
        "p1 was tried again and again",
        "p1#1 was delivered 5 times, at most 4 expected: attempts = 3, and once more",
    )


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (
            "published p1#1; published p2#1; cut; " + "deliver p1#1; " * 14,
            "attempts = 3, and once more, for each of 2 poisons and 1 interruption, and 1 given back",
        ),
        (
            "published p1#1; " + "deliver p1#1 >in; deliver p1#1 >log; " * 5,
            "at most 8 expected: attempts = 3, and once more, out of each of 2 queues",
        ),
    ],
)
def test_how_often_a_poison_may_be_tried_is_reckoned_up(happened: str, said: str) -> None:
    """Whoever has set attempts to 3 shall see why 13 deliveries are none too many."""
    (evidence,) = judged(happened + "looped! round and round", None).evidence
    assert evidence.endswith(said)


@pytest.mark.parametrize(("exits", "outcome"), [(4, "broken"), (2, "unknown")])
def test_service_that_dies_of_poison_is_broken(exits: int, outcome: str) -> None:
    """A poison that ends the process again and again, unless it was given up too soon to tell."""
    happened = "published p1#1; deliver p1#1;" + "exit *shop; start *shop; ready *shop;" * exits
    verdict = judged(happened + "looped *shop! shop ended by itself", None)
    assert (verdict.outcome, verdict.surplus) == (outcome, outcome == "broken")


def test_duplicate_that_loops_is_broken() -> None:
    """In a schedule of duplicates there is nothing else that could make a service loop."""
    looped = TWICE.replace("quiet", "looped m1#1! m1#1 was delivered 12 times")
    assert judged(looped, None) == broken(
        "the service never got done with a duplicate", "m1#1 was delivered 12 times", blamed=("m1",)
    )
    assert judged(looped.replace("deliver m1#2", "cut; deliver m1#2"), None).outcome == "unknown"


def test_service_that_stops_at_poison_is_broken() -> None:
    """Not quiet in time, a canary in time, and nothing but poison: the service did not go on."""
    happened = "published p1#1; deliver p1#1; published m1#1; quiet! not settled: m1#1; canary"
    why = "not quiet in time: not settled: m1#1"
    assert judged(happened, None) == broken("the service did not go on after the poison", why, surplus=False)
    late = judged(happened.replace("canary", "canary! took 9 s"), None)
    assert late.reason == f"the machine was too slow for the canary too (took 9 s); {why}"


def test_innocents_without_effect_are_broken() -> None:
    """A service that throws away what came with the poison stopped serving."""
    assert judged(faulty=seen({"/r/<m1.id>": 1}, "m1:a", dead="p1")) == broken(
        "with p1 among them, innocent messages lack their effect",
        "/r/<m2.id> $: no change, expected +1 (clean run)",
        "outputs of m2 in out: none, expected 1 (clean run)",
        blamed=("m2",),
        surplus=False,
    )


@pytest.mark.parametrize(
    "happened",
    [
        "published m1#1; deliver m1#1; ack m1#1; quiet",
        "published m1#1; deliver m1#1 >in; ack m1#1; deliver m1#1 >log; ack m1#1; quiet",
        "published p1#1; quiet",
        "asked p1#1 =400; quiet",
    ],
    ids=["no poison", "one message in two queues", "not delivered", "refused by HTTP"],
)
def test_no_occasion(happened: str) -> None:
    """A poison that never reached the service, or none at all, proves nothing."""
    assert judged(happened) == Verdict(
        promise=PROMISE,
        outcome="unknown",
        reason="no poison was delivered, and no input twice",
        occasion=False,
    )


@pytest.mark.parametrize(
    ("happened", "more", "reason"),
    [
        (
            CALM.replace("; canary", ""),
            {"faulty": BOTH},
            "no canary kept the time beside the service; not in",
        ),
        (CALM, {"faulty": seen(unreadable="gone")}, "the observation after the faults failed: gone"),
        (CALM, {"traps": (KILL,)}, "the trap did not spring: kill before ack(m1)"),
        (CALM.replace("quiet", "recorder! full; quiet"), {}, "the recorder failed: full"),
        (CALM.replace("; quiet; canary", ""), {}, "the history does not say that the service became quiet"),
        (CALM, {"dead_letters": ""}, "the contract names no dead-letter queue"),
        (TWICE.replace("quiet", "quiet! m1#1 waits"), {}, "not quiet in time: m1#1 waits"),
    ],
    ids=[
        "no canary",
        "unreadable",
        "unsprung",
        "recorder",
        "never quiet",
        "no queue",
        "duplicates, not quiet",
    ],
)
def test_unknown(happened: str, more: dict[str, Any], reason: str) -> None:
    """What went wrong with the run, or cannot be seen, accuses nobody and keeps nothing."""
    verdict = judged(happened, **more)
    assert (verdict.outcome, verdict.occasion, verdict.reason[: len(reason)]) == ("unknown", True, reason)


def test_other_faults_leave_the_rest_to_others() -> None:
    """With a crash in the schedule, a case that is not quiet and a lost innocent are not charged here."""
    crashed = CALM.replace("quiet", "sprung: kill before ack(m1); quiet")
    assert judged(crashed, seen(dead="p1"), traps=(KILL,)) == KEPT
    assert judged(crashed.replace("quiet", "quiet! m1#1 waits"), None, traps=(KILL,)).outcome == "unknown"


def test_letters_are_seen_though_the_case_was_not_quiet() -> None:
    """An innocent that was set aside is, whatever else went on."""
    happened = CALM.replace("quiet", "quiet! m2#1 waits")
    assert judged(happened, Seen({}, "", "m1", "")).blamed == ("m1",)
