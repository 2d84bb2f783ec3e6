"""The one transaction of the notification service."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from campus_food.messages import FAILED, RESERVED, Outcome
from campus_food.notifications import Notification, Notifications
from campus_food.schema import open_engine

TOLD = Outcome("m1", RESERVED, "o1", "u1", {"burger": 1}, "")
SENT = Notification("o1", "u1", RESERVED, {"burger": 1}, "")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Notifications]:
    """Open a database of its own for the test."""
    store = Notifications(open_engine(f"sqlite:///{tmp_path}/notification.db", Notifications.TABLES))
    yield store
    store.close()


def test_an_outcome_is_confirmed_once(store: Notifications) -> None:
    """A second copy sends nothing."""
    assert [store.send(TOLD), store.send(TOLD)] == [True, False]
    assert store.of_order("o1") == store.of_user("u1") == [SENT]
    assert [store.handled(f"m{n}", "o1") for n in (1, 2)] == [True, False]


def test_a_failure_is_told_with_its_reason(store: Notifications) -> None:
    """The person who ordered learns why; others learn nothing."""
    assert store.send(Outcome("m2", FAILED, "o2", "u2", {"caviar": 1}, "unknown item: caviar"))
    assert store.of_user("u2") == [Notification("o2", "u2", FAILED, {"caviar": 1}, "unknown item: caviar")]
    assert store.of_user("u1") == store.of_order("o1") == []


def test_copies_at_the_same_time_are_one(store: Notifications) -> None:
    """Of many threads with the same outcome exactly one sends."""
    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(store.send, [TOLD] * 4)) == [False, False, False, True]
    assert store.of_order("o1") == [SENT]


def test_a_crash_inside_the_transaction_leaves_no_trace(
    store: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inbox row does not stay behind alone."""

    def crash(*_: object) -> None:
        raise sa.exc.ArgumentError

    with monkeypatch.context() as patched:
        patched.setattr(store, "_carry_out", crash)
        with pytest.raises(sa.exc.ArgumentError):
            store.send(TOLD)
    assert store.send(TOLD)
