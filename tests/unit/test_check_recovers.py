"""recovers: after a dead link, a broker restart or a crash the next message takes effect, with no help."""

from typing import Any

import msgspec
import pytest

from atleastonce.checks import recovers
from atleastonce.checks.case import unseen
from atleastonce.schedule import Trap
from atleastonce.verdict import Verdict
from histories import Seen, history, seen

PROMISE = "recovers"
KILL = Trap(when="before", event="ack", message="m1", do="kill")
BEHIND = "published m2#1; deliver m2#1; ack m2#1; published sentinel#1; quiet; canary"
KILLED = (
    "published m1#1; deliver m1#1; sprung: kill before ack(m1); kill *shop; start *shop; ready *shop; "
    + BEHIND
)
CUT = "published m1#1; deliver m1#1; ack m1#1; cut *shop; closed; " + BEHIND
NOTHING_DIED = "no link died, and nothing that was killed was started again"
OTHER_FAULT = "the schedule holds another fault than a crash or a dead link"
LACKS_M2 = seen({"/r/<m1.id>": 1}, "sentinel:s")
BOTH = seen({"/r/<m1.id>": 1, "/r/<m2.id>": 1}, "sentinel:s")


def judged(happened: str = CUT, faulty: Seen | None = BOTH, clean: Seen = BOTH, **more: Any) -> Verdict:
    """Judge a history in which the service has ten seconds to recover."""
    return recovers.check(history(happened, clean, faulty, promised={PROMISE: {"within": 10.0}}, **more))


@pytest.mark.parametrize(
    ("happened", "fault", "traps"),
    [
        (CUT, "cut shop", ()),
        (KILLED, "kill before ack(m1)", (KILL,)),
        (CUT.replace("cut *shop", "isolated *shop =2; mended *shop"), "isolating shop", ()),
        (CUT.replace("cut *shop; closed", "closed; broker-restarted"), "a restart of the broker", ()),
    ],
    ids=["cut", "kill", "isolation", "broker"],
)
def test_next_message_with_its_effect_is_kept(happened: str, fault: str, traps: tuple[Trap, ...]) -> None:
    """The reason names the fault, what came after it and the deadline."""
    assert judged(happened, traps=traps) == Verdict(
        promise=PROMISE,
        outcome="kept",
        reason=f"published after {fault}, m2, the sentinel took effect within 10 s",
    )


def test_next_message_without_effect_is_broken() -> None:
    """Connected, but not consuming."""
    assert judged(faulty=seen({"/r/<m1.id>": 1}, "sentinel:s")) == Verdict(
        promise=PROMISE,
        outcome="broken",
        reason="published after cut shop, m2, the sentinel did not take effect within 10 s",
        evidence=("/r/<m2.id> $: no change, expected +1 (clean run)",),
        blamed=("m2",),
    )


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("quiet! m2#1 waits", "not quiet in time: m2#1 waits"),
        ("looped! shop ended by itself 7 times", "given up: shop ended by itself 7 times"),
    ],
)
def test_service_that_does_not_get_back_to_work_is_broken(end: str, why: str) -> None:
    """Nothing more is observed of it; what it left unsettled is blamed."""
    happened = CUT.replace("quiet", end).replace("; ack m2#1", "")
    assert judged(happened, None) == Verdict(
        promise=PROMISE,
        outcome="broken",
        reason="after cut shop the service did not get back to work within 10 s",
        evidence=(why,),
        blamed=("m2",),
    )


@pytest.mark.parametrize(
    ("again", "faulty", "outcome"),
    [
        ("", BOTH, "unknown"),
        ("fetch m1#1; ", BOTH, "broken"),
        ("", seen({"/r/<m2.id>": 1}, "sentinel:s"), "broken"),
    ],
    ids=["done with", "not done with", "lost"],
)
def test_record_done_with_need_not_be_committed(again: str, faulty: Seen, outcome: str) -> None:
    """A service on Kafka whose offsets lie beside its state does not fetch it again, and has recovered."""
    killed = f"published m1#1; fetch m1#1; sprung: kill before ack(m1); kill *shop; start *shop; {again}"
    behind = "published m2#1; fetch m2#1; response m2#1; canary; quiet! after 60 s, not settled: m1#1"
    given = history(killed + behind, BOTH, faulty, traps=(KILL,))
    on_kafka = msgspec.structs.replace(given, header=msgspec.structs.replace(given.header, broker="kafka"))
    assert recovers.check(on_kafka).outcome == outcome


def test_message_under_way_is_not_charged_here() -> None:
    """What was published or delivered before the fault is the business of nothing-lost."""
    assert judged(faulty=seen({"/r/<m2.id>": 1}, "sentinel:s")).outcome == "kept"
    asked = CUT.replace("cut", "asked m2#1; cut").replace("deliver m2#1; ack m2#1; ", "")
    assert judged(asked, seen({"/r/<m1.id>": 1}, "sentinel:s")).outcome == "kept"
    entered = CUT.replace("cut", "entered m2; cut").replace("deliver m2#1; ack m2#1; ", "")
    assert judged(entered, seen({"/r/<m1.id>": 1}, "sentinel:s")).outcome == "kept"
    early = CUT.replace(
        "cut *shop; closed; published m2#1; deliver m2#1", "deliver m2#1; cut *shop; published m2#1"
    )
    assert judged(early, seen({"/r/<m1.id>": 1}, "sentinel:s")).outcome == "kept"


def test_what_went_with_the_dead_link_is_not_charged_here() -> None:
    """Without acknowledgements, a broker hands to a dead consumer what comes before the service subscribes again."""
    happened = (
        "published m1#1; deliver m1#1 auto; cut *shop; published m2#1; response m2#1 ~deliver; consume auto *shop; "
        "published sentinel#1; deliver sentinel#1 auto; quiet; canary"
    )
    found = [judged(happened, LACKS_M2, volatile=volatile).outcome for volatile in (True, False)]
    assert found == ["kept", "broken"]


def test_sentinel_that_went_with_the_dead_link_proves_nothing() -> None:
    """Nothing was published that the service could have got; another queue of its own that it acknowledges keeps it."""
    early = "cut *shop; published sentinel#1; consume auto *shop; unshown! the sentinel did not come; canary"
    happened = f"published m1#1; deliver m1#1 auto; {early}"
    found = judged(happened, None, volatile=True)
    assert (found.outcome, found.reason) == (
        "unknown",
        "the sentinel came before the service had subscribed again, and nothing keeps it until then",
    )
    assert judged(happened, None).outcome == "broken"


def test_service_that_does_not_subscribe_again_is_broken() -> None:
    """It had its time before the sentinel was published."""
    never = "cut *shop; published sentinel#1; unshown! the sentinel did not come; canary"
    assert judged(f"published m1#1; deliver m1#1 auto; {never}", None, volatile=True).outcome == "broken"


def test_last_fault_counts() -> None:
    """What was published between two faults was under way at the second."""
    happened = CUT.replace("published sentinel", "cut *shop; published sentinel")
    assert judged(happened, seen({"/r/<m1.id>": 1}, "sentinel:s")).outcome == "kept"


def test_total_is_charged_only_where_no_other_message_explains_it() -> None:
    """In a sum alone, what was lost on the way looks like what came afterwards."""
    clean, faulty = seen({"/stock": 3}), seen({"/stock": 2})
    verdict = judged(faulty=faulty, clean=clean)
    assert (verdict.outcome, verdict.reason.partition(":")[0]) == ("unknown", "m1 may be what is missing")
    alone = CUT.replace("published m1#1; deliver m1#1; ack m1#1; ", "")
    assert judged(alone, faulty, clean).outcome == "broken"


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (BEHIND, "no crash and no dead link was planned"),
        (CUT.replace("cut *shop", "isolated *shop =0; mended *shop"), NOTHING_DIED),
        (CUT.replace("cut *shop; closed", "broker-restarted"), NOTHING_DIED),
        (CUT.replace("m1", "p1"), OTHER_FAULT),
        (CUT.replace("cut", "stop *shop; start *shop; cut"), OTHER_FAULT),
        (CUT.replace("cut", "unrouted >in; cut"), OTHER_FAULT),
    ],
    ids=["no fault", "no link to isolate", "no link closed", "poison", "outage", "unrouted"],
)  # fmt: skip
def test_no_occasion(happened: str, reason: str) -> None:
    """A fault that did not hit, or is judged by another promise, says nothing."""
    assert judged(happened) == Verdict(promise=PROMISE, outcome="unknown", reason=reason, occasion=False)


@pytest.mark.parametrize(
    ("happened", "faulty", "reason"),
    [
        (CUT.replace("; canary", ""), seen({"/r/<m1.id>": 1}), "no canary kept the time beside the service; missing: "),
        (CUT.replace("quiet; canary", "quiet! m2#1; canary! 9 s"), None, "the machine was too slow"),
        (CUT.replace("quiet", "buried! no close-ok; quiet"), BOTH, "the links of the dead service"),
        (CUT.replace("quiet", "late! an output; quiet"), BOTH, "an output came after its case had been judged"),
    ],
    ids=["no canary", "slow machine", "burial", "late output"],
)  # fmt: skip
def test_unknown(happened: str, faulty: Seen | None, reason: str) -> None:
    """Without a witness, or after a run that went wrong, nobody is accused."""
    verdict = judged(happened, faulty)
    assert (verdict.outcome, verdict.occasion, verdict.reason[: len(reason)]) == ("unknown", True, reason)


def test_trap_that_did_not_spring_is_unknown() -> None:
    """The fault did not hit where it was meant to."""
    assert judged(CUT, traps=(KILL,)).reason == "the trap did not spring: kill before ack(m1)"


def test_next_message_that_is_not_observed_is_unknown() -> None:
    """Where a clean run shows nothing of what came after the fault, observe more."""
    clean = seen({"/r/<m1.id>": 1})
    assert judged(faulty=clean, clean=clean) == Verdict(
        promise=PROMISE,
        outcome="unknown",
        reason=str(unseen("what came behind the fault")),
        occasion=False,
    )
