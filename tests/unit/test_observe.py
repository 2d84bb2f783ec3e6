"""Effects are also observed by commands and by queries; what cannot be seen is an error, never nothing."""

import json
import os
import shlex
import sqlite3
import sys
from pathlib import Path

import pytest

from atleastonce.errors import ContractError, ObservationError
from atleastonce.observe.command import CommandObserver
from atleastonce.observe.sql import SqlObserver


def printed(code: str, folder: Path) -> object:
    """Return what is observed where a command runs this code."""
    return CommandObserver(folder, os.environ).get(shlex.join([sys.executable, "-c", code]))


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("print('{\"state\": 1}')", {"state": 1}),
        ("print('paid')", "paid"),
        ("print()", None),
        ("import os; print(os.path.realpath('.'))", "."),
    ],
    ids=["json", "text", "nothing", "from the contract's folder"],
)
def test_a_command_shows_what_it_prints(tmp_path: Path, code: str, seen: object) -> None:
    """JSON is read as such, nothing printed means that nothing is there."""
    assert printed(code, tmp_path) == (str(tmp_path.resolve()) if seen == "." else seen)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{sys.executable} -c 'raise SystemExit(\"no shop\")'", "ended with 1: no shop"),
        ("no-such-program {}", "could not be run"),
        ("'", "could not be run"),
    ],
)
def test_a_command_that_fails_sees_nothing(tmp_path: Path, command: str, said: str) -> None:
    """It is not taken for a state that is empty."""
    with pytest.raises(ObservationError, match=said):
        CommandObserver(tmp_path, os.environ).get(command)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Make a database with one order in it."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id TEXT, total INTEGER, note BLOB)")
        database.execute("INSERT INTO orders VALUES ('o1', 7, x'6869')")
    database.close()
    return path


def test_a_query_shows_its_rows(shop: Path) -> None:
    """By column, as JSON can hold them; no rows mean that nothing is there."""
    database = SqlObserver(f"sqlite:///{shop}")
    found = database.get("SELECT * FROM orders WHERE id = 'o1'")
    assert json.loads(json.dumps(found)) == [{"id": "o1", "total": 7, "note": "hi"}]
    assert database.get("SELECT * FROM orders WHERE id = 'o:2'") is None
    database.close()


@pytest.mark.parametrize(
    ("query", "dishes"),
    [("SELECT * FROM sold", "flan soup"), ("SELECT * FROM sold ORDER BY times DESC", "soup flan")],
)
def test_rows_are_sorted_by_their_names_unless_the_query_says(
    tmp_path: Path, query: str, dishes: str
) -> None:
    """PostgreSQL returns a row elsewhere once it was changed."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE sold (times INTEGER, dish TEXT)")
        database.execute("INSERT INTO sold VALUES (12, 'soup'), (3, 'flan')")
    database.close()
    observer = SqlObserver(f"sqlite:///{path}")
    assert " ".join(row["dish"] for row in observer.get(query)) == dishes
    observer.close()


def test_a_query_that_fails_sees_nothing(shop: Path) -> None:
    """A missing table or file is not taken for a state that is empty, and no file is made."""
    with pytest.raises(ObservationError, match="no such table"):
        SqlObserver(f"sqlite:///{shop}").get("SELECT * FROM receipts")
    missing = shop.with_name("missing.db")
    with pytest.raises(ObservationError, match="there is no database"):
        SqlObserver(f"sqlite:///{missing}").get("SELECT 1")
    assert not missing.exists()


def test_a_database_is_named_as_the_library_does() -> None:
    """Anything else is a mistake in the contract, said before anything runs."""
    with pytest.raises(ContractError, match=r"observe\.url: cannot open 'shop\.db'"):
        SqlObserver("shop.db")
