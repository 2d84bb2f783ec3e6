"""The pace of a calm run: how long a service takes for a message, however many there are."""

import pytest

from atleastonce.expectation import latency, stillness
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
