"""Attempts: what services ask each other makes series, and some of these are not wholly known."""

import pytest

from atleastonce.attempts import series
from histories import events

FAILED = "request m1 *shop ^depot >take! ; response m1 *shop ^depot =503"


def told(happened: str) -> list[tuple[str, int, str]]:
    """Return of each series what was asked, how often, and what is in doubt."""
    return [(each.call, len(each.attempts), each.doubt) for each in series(tuple(events(happened)))]


def ask(status: int = 200, message: str = "m1", call: str = "take", link: int = 1) -> str:
    """Return a request and its answer."""
    return (
        f"request {message} *shop ^depot >{call} @{link}; response {message} *shop ^depot ={status} @{link}"
    )


def test_attempts_that_failed_and_the_last_are_a_series() -> None:
    """Until one succeeds, whatever else is asked meanwhile."""
    happened = f"{ask(503)}; {ask(200, 'm2')}; {ask(200, call='look')}; {ask(500)}; {ask(200)}; {ask(200)}"
    assert told(happened) == [
        ("depot take", 3, ""),
        ("depot take", 1, ""),
        ("depot look", 1, ""),
        ("depot take", 1, ""),
    ]


def test_ends_are_answers_and_cuts() -> None:
    """Where the service gave up waiting, nobody knows when; what never arrived was over at once."""
    happened = (
        "request m1 *shop ^depot @1; response m1 *shop ^depot =500 @1 +1; request m1 *shop ^depot @2; "
        "cut *shop ^depot @2 +1; request m1 *shop ^depot @3; closed *shop ^depot @3 +1; "
        "request m1 *shop ^depot @4! k; closed *shop ^depot @4 +1"
    )
    (only,) = series(tuple(events(happened)))
    assert [attempt.end for attempt in only.attempts] == [1.0, 2.0, None, 3.0]
    assert [attempt.status for attempt in only.attempts] == [500, 0, 0, 0]


@pytest.mark.parametrize(
    ("between", "found"),
    [
        ("asked m1#1 =502", [("depot take", 1, ""), ("depot take", 1, "")]),
        ("response m1 *order ^shop =502", [("depot take", 1, ""), ("depot take", 1, "")]),
        ("asked m2#1 =502", [("depot take", 2, "")]),
        ("asked m1#1 =202", [("depot take", 2, "")]),
        ("kill *depot", [("depot take", 2, "")]),
    ],
    ids=["answered us", "answered a service", "another message", "accepted", "who is asked dies"],
)
def test_a_repetition_of_ours_begins_another_series(between: str, found: list[tuple[str, int, str]]) -> None:
    """Once a service has answered with an error, it has given up."""
    assert told(f"{ask(503)}; {between}; {ask(200)}") == found


@pytest.mark.parametrize(
    ("between", "doubt"),
    [
        ("kill *shop", "shop ended meanwhile (kill)"),
        ("unreached *shop ^depot", "depot was out of reach, so not every attempt was seen"),
        ("asked m1#1 =0", "our own request was not answered meanwhile"),
        ("request m1 *order ^shop", "shop was asked again meanwhile"),
    ],
)
def test_attempts_that_may_not_be_all_are_in_doubt(between: str, doubt: str) -> None:
    """Nothing is said of how often it was tried, and how far apart."""
    assert told(f"{ask(503)}; {between}; {ask(200)}")[0][2] == doubt


def test_series_knows_what_arrived_under_how_many_keys() -> None:
    """An attempt that the relay refused never arrived."""
    first = "request m1 *shop ^depot! key a; response m1 *shop ^depot =503"
    happened = f"{first}; request m1 *shop ^depot: key b; response m1 *shop ^depot =200"
    (only,) = series(tuple(events(happened)))
    assert (only.reached, only.keys, only.attempts[0].refused, only.attempts[1].refused) == (
        1,
        2,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ("key a, body b", "key a, body c", True),
        ("key a, body b", "key c, body b", True),
        ("body b", "body b", True),
        ("", "", True),
        ("key a, body b", "key c, body d", False),
        ("body b", "body c", False),
        ("key a, body b", "body c", False),
    ],
)
def test_attempts_are_alike_by_key_or_body(first: str, second: str, alike: bool) -> None:
    """Where neither is the same, one path may serve two things."""
    (only,) = series(tuple(events(f"request m1 *shop ^depot! {first}; request m1 *shop ^depot! {second}")))
    assert only.alike is alike
