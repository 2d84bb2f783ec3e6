"""The pace of a calm run: how long a service takes for a message, however many there are."""

import pytest

from atleastonce.expectation import Patience, latency, paced, stillness
from atleastonce.promises import options
from histories import history, seen

ONE = "published m1#1; deliver m1#1; ack m1#1 +0.3"
LINE = (
    "published m1#1; published m2#1; published m3#1; deliver m1#1; deliver m2#1; deliver m3#1; "
    "ack m1#1 +0.3; ack m2#1 +0.3; ack m3#1 +0.3"
)
BATCH = LINE.replace("ack m1#1 +0.3; ack m2#1 +0.3", "ack m1#1; ack m2#1")


@pytest.mark.parametrize("happened", [ONE, LINE, BATCH], ids=["one", "in a line", "at once"])
def test_the_calm_latency_is_that_of_the_service_not_of_the_line(happened: str) -> None:
    """Forty messages of 0.3 s each make twelve seconds: a missing effect is not awaited for two minutes."""
    assert latency(history(happened, seen(), None)) == pytest.approx(0.3, abs=0.01)


def test_nothing_settled_has_no_latency_and_stillness_is_counted_from_quiet() -> None:
    """A history that ended early says nothing; what changed after quiet says how late effects are."""
    assert latency(history("published m1#1; deliver m1#1", seen(), None)) == 0.0
    assert stillness(history(f"{ONE}; quiet; still +2", seen(), None)) == pytest.approx(2)


def kept_time() -> bool:
    """Say that the canary was in time: the machine is not to blame."""
    return True


def was_late() -> bool:
    """Say that the canary was late."""
    return False


def test_a_long_line_is_awaited_as_long_as_it_gets_shorter() -> None:
    """Forty-eight messages of a second each take longer than any deadline of quiet; one that is stuck does not end."""
    patience = Patience(48)
    assert [patience.more(left, kept_time) for left in (20, 5, 5)] == [True, True, False]


def test_a_line_that_grows_and_shrinks_is_not_awaited_for_ever() -> None:
    """What goes round in circles is open again and again: only a count that was never so low is progress."""
    patience = Patience(3)
    assert [patience.more(left, kept_time) for left in (4, 3)] == [False, False]


def test_a_deadline_that_the_contract_names_is_one() -> None:
    """Who promises to be done within ten seconds is not done by having begun."""
    assert Patience(48, steady=True).more(20, kept_time) is False


@pytest.mark.parametrize(
    ("recovers", "health", "deadlines"),
    [
        (None, None, (60.0, 60.0, False)),
        (None, "5s", (60.0, 5.0, False)),
        ("10s", None, (10.0, 10.0, True)),
        ("10s", "5s", (10.0, 5.0, True)),
    ],
)
def test_how_soon_health_is_told_is_no_deadline_of_recovery(
    recovers: str | None, health: str | None, deadlines: tuple[float, float, bool]
) -> None:
    """Who says within five seconds that it cannot work has not promised to be back at work by then."""
    named = {"recovers": recovers, "tells-health": health}
    promised = {name: options(name, {"within": each} if each else True) for name, each in named.items()}
    pace = paced(promised, quiet=60.0, settles=1.0, canary=0.2)
    assert (pace.deadline, pace.health, pace.named) == deadlines


def test_a_late_canary_is_asked_three_times() -> None:
    """A slow machine is waited for, with an end."""
    patience = Patience(2, steady=True)
    assert [patience.more(2, was_late) for _ in range(3)] == [True, True, False]


def test_a_line_is_not_awaited_for_hours() -> None:
    """Ten deadlines, and what still gets shorter is as good as stuck."""
    patience = Patience(100)
    assert [patience.more(left, kept_time) for left in range(99, 89, -1)] == [True] * 9 + [False]
