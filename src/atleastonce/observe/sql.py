"""Observes by SQL: the rows that a query returns, each a dict by column.

Needs SQLAlchemy, and the driver of the database: ``pip install 'atleastonce[sql]'``; SQLite comes with Python.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atleastonce.errors import ContractError, ObservationError

if TYPE_CHECKING:
    import sqlalchemy as sa

_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)


class SqlObserver:
    """One database, by its URL. A connection per query: the subject may be killed, and its file be replaced."""

    def __init__(self, url: str) -> None:
        try:
            import sqlalchemy as sa  # noqa: PLC0415 - an extra, which may not be installed; slow to import
        except ImportError as exc:
            raise ContractError(
                "observe.sql: cannot query a database without SQLAlchemy; pip install 'atleastonce[sql]'"
            ) from exc
        try:
            self._engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        except (sa.exc.ArgumentError, ImportError) as exc:
            raise ContractError(
                f"observe.url: cannot open {url!r} ({exc}); name a database as SQLAlchemy does, such as "
                "sqlite:///{data_dir}/shop.db, and install its driver"
            ) from exc
        self._failures = (sa.exc.SQLAlchemyError,)

    def get(self, query: str) -> Any:
        """Return the rows of a query, or None for none; raise ObservationError where it fails.

        Rows come as a database stores them, and PostgreSQL stores one anew when it changes (its documentation, 7.5
        "Sorting Rows"). So they are sorted by what names them, texts and the like, unless the query says ORDER BY.
        """
        self._exists()
        with self._translated(query), self._engine.connect() as connection:
            rows = _rows(connection.exec_driver_sql(query))
        return (rows if _ORDERED.search(query) else sorted(rows, key=_name)) or None

    def close(self) -> None:
        """Close what is open."""
        self._engine.dispose()

    def _exists(self) -> None:
        """Raise where the file of an SQLite database is not there: to open it would make an empty one."""
        url = self._engine.url
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            raise ObservationError(
                f"there is no database {url.database}; the service has to make it, and its tables, before it is ready"
            )

    @contextlib.contextmanager
    def _translated(self, query: str) -> Iterator[None]:
        try:
            yield
        except self._failures as exc:
            # The driver's own words, without the query and an address again.
            said = getattr(exc, "orig", None) or exc
            raise ObservationError(f"the query {query!r} failed: {said}") from exc


def _rows(found: "sa.CursorResult[Any]") -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in found.mappings()]


def _name(row: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return what a row is known by: its columns that do not count, and those that do only behind them."""
    texts = {name: value for name, value in row.items() if not isinstance(value, int | float)}
    return msgspec.json.encode(texts), msgspec.json.encode(row)


def _plain(value: Any) -> Any:
    """Return a value of a database as one of JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else str(value)
