"""replays-identically: read again from offset zero, the report is byte-identical."""

from typing import Any

from atleastonce.checks import CHECKS, judge, replays_identically
from atleastonce.schedule import Action, publish
from atleastonce.verdict import Verdict
from histories import history, seen

PROMISE = "replays-identically"
LOG = "published m1#1; published m2#1; published m2#2; varied: TZ is Asia/Kathmandu; "
SAME = 'report =3 ~first: {"orders": 2}; report =3 ~second: {"orders": 2}; quiet'
APART = 'report =3 ~first: {"orders": 2}; report =3 ~second: {"orders": 3}; canary: took 0.1 s'
HOW = "read again with another value of TZ (TZ is Asia/Kathmandu), the report"


def judged(happened: str, replay: str = "env:TZ", **more: Any) -> Verdict:
    """Judge a log of two messages, one of them twice."""
    actions = (*publish("m1", "m2", "m2"), *((Action(replay=replay),) if replay else ()))
    return replays_identically.check(history(happened, seen(), None, actions=actions, **more))


def unknown(reason: str, *, occasion: bool = True) -> Verdict:
    """Return the verdict that says nothing, for this reason."""
    return Verdict(promise=PROMISE, outcome="unknown", reason=reason, occasion=occasion)


def broken(*evidence: str, blamed: tuple[str, ...] = ()) -> Verdict:
    """Return the verdict that accuses."""
    reason = f"{HOW} is another one"
    return Verdict(promise=PROMISE, outcome="broken", reason=reason, evidence=evidence, blamed=blamed)


def test_the_same_bytes_keep_it() -> None:
    """It says how the log was read again, and of how many events."""
    reason = f"{HOW} of 3 events is byte-identical"
    assert judged(LOG + SAME) == Verdict(promise=PROMISE, outcome="kept", reason=reason)


def test_other_values_break_it() -> None:
    """Where no prefix was tried, the event is the latest that it can be, and nobody is blamed."""
    assert judged(LOG + APART) == broken(
        "differs at the latest after event 3 of 3, m2#2", "$.orders: 2 first, 3 when read again"
    )


def test_the_first_event_is_named() -> None:
    """The shortest prefix whose reports differ, where those of the one before are the same."""
    prefixes = (
        "; report =2 ~first: one\ntwo; report =2 ~second: one\n2; report =1 ~first: a; report =1 ~second: a"
    )
    assert judged(LOG + APART + prefixes) == broken(
        "first differs after event 2 of 3, m2#1",
        "line 2: 'two' first, '2' when read again",
        blamed=("m2",),
    )


def test_the_very_first_event_needs_no_other() -> None:
    """Before it, there is nothing to report."""
    prefix = '; report =1 ~first: {"a": 1}; report =1 ~second: {"b": 1}'
    assert judged(LOG + APART + prefix) == broken(
        "first differs after event 1 of 3, m1#1",
        "$.a: 1 first, nothing when read again",
        "$.b: nothing first, 1 when read again",
        blamed=("m1",),
    )


def test_another_order_of_the_same_values_breaks_it() -> None:
    """The promise is about bytes."""
    apart = 'report =3 ~first: {"a": 1, "b": 2}; report =3 ~second: {"b": 2, "a": 1}'
    assert judged(LOG + apart) == broken(
        "differs at the latest after event 3 of 3, m2#2",
        "the same values are written in another form or order",
    )


def test_a_variation_that_was_not_made_proves_nothing() -> None:
    """It says which, and why."""
    why = "the clock was not set back: there is no C compiler"
    assert judged(f"published m1#1; varied! {why}", replay="clock") == unknown(why)


def test_a_slow_machine_proves_nothing() -> None:
    """The report may have been taken too early."""
    late = APART.replace("canary: took 0.1 s", "canary! not back in time")
    assert judged(LOG + late) == unknown(
        "the machine was too slow for the canary too (not back in time); "
        "the reports differ: $.orders: 2 first, 3 when read again"
    )


def test_a_missing_report_proves_nothing() -> None:
    """Nor does a log that nobody has read to its end."""
    missing = unknown("the history does not hold both reports of the whole log")
    assert judged(f"{LOG}report =3 ~first: a") == missing
    assert judged(f"{LOG}report =2 ~first: a; report =2 ~second: a") == missing
    assert judged(f"{LOG}quiet! the log was not read") == unknown("not quiet in time: the log was not read")


def test_without_a_log_read_twice_there_is_no_occasion() -> None:
    """Such an unknown counts nowhere."""
    assert judged(LOG, replay="") == unknown("nothing was read again", occasion=False)
    assert judged("varied: nothing") == unknown("the log held no events", occasion=False)


def test_no_other_promise_is_judged_by_it() -> None:
    """The second reader is another service: what it does again is no second effect."""
    actions = (*publish("m1"), Action(replay="again"))
    given = history("published m1#1; quiet", seen(), None, actions=actions)
    others = [judge(given, promise) for promise in CHECKS if promise != PROMISE]
    assert {(each.outcome, each.occasion) for each in others} == {("unknown", False)}
