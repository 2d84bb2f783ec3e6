"""Durations as a contract writes them."""

import pytest

from atleastonce.durations import Duration, decoded


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("500ms", 0.5), ("0.5s", 0.5), ("2m", 120), ("1h", 3600), ("0s", 0)]
)
def test_duration(text: str, seconds: float) -> None:
    """A number and a unit are a length of time in seconds."""
    assert Duration.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "30 s", "-1s", "1e3s", "1.s", "30S", "٣s", "1s ", 30, None])
def test_no_duration(text: object) -> None:
    """Anything else is refused, with what to write instead."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared whole
        Duration.parse(text)
    assert str(caught.value) == f'{text!r} is no duration; write a number and ms, s, m or h, like "30s"'


def test_decoded_knows_durations_only() -> None:
    """Another type that msgspec does not know is our own mistake."""
    assert decoded(Duration, "2s") == Duration(2)
    with pytest.raises(TypeError):
        decoded(complex, "2s")
