"""Faults that a message may ask for."""

import os

import pytest

from campus_food import injection
from campus_food.messages import BadMessage


def test_what_asks_for_nothing_passes() -> None:
    """Other headers are nobody's business here."""
    injection.obey({"trace": "7"})
    injection.refuse({"trace": "7"})


def test_a_failure_on_demand() -> None:
    """It is one that nobody foresaw, so that it is tried again."""
    with pytest.raises(injection.InjectedError):
        injection.obey({"inject": "fail"})


def test_an_exit_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, without any tidying up."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    with pytest.raises(BadMessage):  # what follows, were it to go on
        injection.obey({"inject": "exit"})
    assert ended == [1]


def test_an_unknown_demand_is_poison() -> None:
    """A mistake in a test must not look like a pass."""
    with pytest.raises(BadMessage, match="inject: expected fail or exit in the header, found 'explode'"):
        injection.obey({"inject": "explode"})


@pytest.mark.parametrize("value", ["fail", "exit", "explode", None])
def test_refused_where_it_is_not_allowed(value: str | None) -> None:
    """Never ignored silently."""
    with pytest.raises(BadMessage, match="FAULT_INJECTION=1"):
        injection.refuse({"inject": value})


def test_allowed_by_one_setting_only() -> None:
    """Exactly 1."""
    assert [injection.allowed({"FAULT_INJECTION": text}) for text in ("1", "", "true")] == [
        True,
        False,
        False,
    ]
    assert not injection.allowed({})
