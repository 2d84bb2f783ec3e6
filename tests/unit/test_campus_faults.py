"""Faults that a request may ask for in its query."""

import pytest

from campus_food.messages import BadMessage
from campus_food.rest import faults
from campus_food.rest.faults import Forbidden, Wanted


def read(*asked: tuple[str, str], permitted: bool = True) -> Wanted:
    """Read a query."""
    return faults.read(asked, permitted=permitted)[""]


def test_nothing_is_wanted_by_default() -> None:
    """With permission or without."""
    assert read() == read(permitted=False) == Wanted()
    assert not Wanted().fails(1)


def test_all_that_can_be_wanted() -> None:
    """It is passed on as it came."""
    wanted = read(("delay", "0.5"), ("fail", "503"), ("fail_times", "2"))
    assert wanted == Wanted(0.5, 503, 2, "delay=0.5&fail=503&fail_times=2")
    assert [wanted.fails(times) for times in (1, 2, 3)] == [True, True, False]
    assert read(("fail", "404")).fails(10**6)
    assert read(("fail_times", "1")).fail == 500


def test_each_prefix_has_its_own() -> None:
    """And no other."""
    found = faults.read([("fail", "500"), ("b_delay", "1")], permitted=True, prefixes=("", "b_"))
    assert found == {"": Wanted(fail=500, query="fail=500"), "b_": Wanted(delay=1.0, query="delay=1")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[("delay", text) for text in ("-1", "nan", "inf", "1e3", "3601", "", " 1", "1_0", "٣")],
        *[("fail", text) for text in ("399", "600", "200", "+500", "5e2", "", "5" * 5000)],
        *[("fail_times", text) for text in ("0", "-1", "1.5", "1000001")],
        ("dleay", "1"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(name: str, text: str) -> None:
    """None is ignored."""
    with pytest.raises(BadMessage) as raised:
        read((name, text))
    assert raised.value.field == name


def test_twice_is_refused() -> None:
    """Nobody knows which one counts."""
    with pytest.raises(BadMessage, match="twice"):
        read(("fail", "500"), ("fail", "503"))


def test_without_permission_it_is_forbidden() -> None:
    """Even what would change nothing."""
    with pytest.raises(Forbidden, match="FAULT_INJECTION=1"):
        read(("delay", "0"), permitted=False)
