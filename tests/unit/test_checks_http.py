"""effects-once, nothing-lost and accepts-honestly where services ask each other over HTTP."""

from typing import Any

import pytest

from atleastonce.checks import accepts_honestly, effects_once, nothing_lost
from histories import history, seen

PLACED = {"state": "placed"}
CLEAN: dict[str, Any] = {
    **{f"/orders/<{name}.id>": PLACED for name in ("m1", "m2", "sentinel")},
    "/stock": -2,
}
NOTHING: dict[str, Any] = {"/stock": 0}
LOST = "request m1 *shop ^depot: key a; cut *shop ^depot; "
TWICE = (
    LOST + "request m1 *shop ^depot: key {}; response m1 *shop ^depot =200; asked m1#1 =200; published m1#1; "
)
M2 = "asked m2#1 =200; published m2#1; quiet"
FAILED = "request m1 *shop ^depot!; response m1 *shop ^depot =503; asked m1#1 =502; declined m1#1 =502; "


def found(check: Any, happened: str, values: dict[str, Any]) -> tuple[str, str]:
    """Return outcome and reason for what was seen, where two orders take one piece each."""
    verdict = check(history(happened, seen(CLEAN), seen(values), before=NOTHING))
    return verdict.outcome, verdict.reason


def test_second_effect_of_what_was_asked_twice_is_broken() -> None:
    """Once it had its time to be taken back; that the attempts carried several keys is said."""
    outcome, reason = found(effects_once.check, TWICE.format("b") + M2 + "; canary", {**CLEAN, "/stock": -3})
    assert (outcome, reason.partition("; ")[2]) == (
        "broken",
        "delivered more than once: m1; depot  was asked 2 times under 2 keys",
    )
    assert found(effects_once.check, TWICE.format("b") + M2, {**CLEAN, "/stock": -3})[0] == "unknown"


def test_one_effect_of_what_was_asked_twice_is_kept() -> None:
    """Though the first answer was lost."""
    assert found(effects_once.check, TWICE.format("a") + M2, CLEAN) == (
        "kept",
        "delivered more than once, m1 had one effect",
    )


def test_what_arrived_once_was_not_delivered_twice() -> None:
    """An attempt that the relay refused has never arrived."""
    happened = (
        FAILED.partition(" asked")[0]
        + TWICE.partition("; request")[0]
        + "; asked m1#1 =200; published m1#1; "
    )
    assert found(effects_once.check, happened + M2, CLEAN)[1] == "no input was delivered twice"


@pytest.mark.parametrize("state", [None, {"state": "failed"}])
@pytest.mark.parametrize("check", [nothing_lost.check, accepts_honestly.check])
def test_what_was_declined_is_owed_nothing(check: Any, state: dict[str, str] | None) -> None:
    """Neither its effect, nor its share of a total; what shows that it failed is no effect of it."""
    values = {"/orders/<m2.id>": PLACED, "/orders/<sentinel.id>": PLACED, "/stock": -1}
    seen_ = values if state is None else {**values, "/orders/<m1.id>": state}
    assert found(check, FAILED + M2, seen_)[0] == "kept"


def test_what_was_declined_for_no_reason_is_unknown() -> None:
    """A key that was taken, and whose work is lost, is refused for ever; with its work done, that is an answer."""
    refused = "asked m1#1 =0; asked m1#1 =409; declined m1#1 =409; "
    without = {name: value for name, value in CLEAN.items() if "m1" not in name}
    outcome, reason = found(nothing_lost.check, refused + M2, {**without, "/stock": -1})
    assert (outcome, reason.partition(" was refused for good")[0]) == ("unknown", "m1")
    assert found(nothing_lost.check, refused + M2, CLEAN)[0] == "kept"


def test_effects_of_what_was_declined_are_no_second_ones() -> None:
    """It was asked often, but no effect of a delivery is expected of it."""
    values = {**CLEAN, "/orders/<m1.id>": {"state": "failed"}, "/stock": -1}
    assert found(effects_once.check, FAILED + M2, values)[1] == "no input was delivered twice"


def test_others_lose_nothing_beside_what_was_declined() -> None:
    """What is missing by name is missing."""
    assert found(nothing_lost.check, FAILED + M2 + "; canary", {"/stock": -1})[0] == "broken"


def test_total_that_is_too_much_may_be_a_failure_s() -> None:
    """Nobody knows what a service notes of it."""
    values = {"/orders/<m2.id>": PLACED, "/orders/<sentinel.id>": PLACED, "/stock": -3}
    happened = (
        FAILED + LOST.replace("m1", "m2") + "request m2 *shop ^depot; response m2 *shop ^depot =200; " + M2
    )
    assert found(effects_once.check, happened + "; canary", values)[0] == "unknown"
