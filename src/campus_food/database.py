"""What the services' databases have in common: how they are opened, and what a consumer remembers."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from campus_food.schema import open_engine
from campus_food.settings import Settings

# Nothing is wrong with the message: the database is locked, full or away, and may be better later.
TRANSIENT = (OperationalError, PoolTimeoutError)

# The row of a message that is met again and has none: its first attempt was not written down, see `begin`.
_BEGIN = sa.text(
    "INSERT INTO attempts (message_id, begun) VALUES (:message_id, 2)"
    " ON CONFLICT (message_id) DO UPDATE SET begun = attempts.begun + 1 RETURNING begun"
)

# Built once: to build a statement takes longer than to carry it out.
_insert = functools.cache(sa.insert)

# How many values a statement may have, in every database.
MOST_VALUES = 10_000


class Duplicate(Exception):  # noqa: N818 - it names what the message is; nothing went wrong
    """The message, or its order under another message id, was handled before."""


class Database:
    """One service's database; several processes may share it."""

    TABLES: ClassVar[Sequence[sa.Table]]
    # SQLite's own word for how sure a commit is: see `open_engine`.
    SYNCHRONOUS: ClassVar[str] = "FULL"

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open it, made and filled where it is new; raises one of `TRANSIENT` where it is locked or away."""
        database = cls(open_engine(settings.database_url, cls.TABLES, cls.SYNCHRONOUS))
        database.prepare(settings)
        return database

    def prepare(self, settings: Settings) -> None:
        """Put in what a new database begins with: nothing, unless a service has something."""

    def health(self) -> str | None:
        """Tell why nothing can be written at present; None where it can."""
        try:
            with self._engine.begin() as tx:
                # It changes nothing, and needs all that a change needs.
                tx.execute(sa.delete(self.TABLES[0]).where(sa.false()))
        except TRANSIENT as error:
            return f"the database: {error}"
        return None

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


class Inbox(Database):
    """The database of a service that consumes: it knows what was handled, and how often that was tried."""

    # Where the ids of the handled messages are: a table with a column `message_id`, and `order_id` where another
    # message of the same order is the same message.
    HANDLED: ClassVar[sa.Table]

    def begin(self, message_id: str) -> int:
        """Write down that work on a message begins once more; return which attempt it is, 2 or later.

        Only for a message that may have been begun before. The first attempt has no row, which saves the
        usual message a flush to the disk; so the row, when it is made at last, counts that one too. A
        neighbour that was fetched beside a crash, and never begun, is so taken for begun once, and never
        for more. Raises one of `TRANSIENT`, with nothing counted.
        """
        with self._engine.begin() as tx:
            return int(tx.execute(_BEGIN, {"message_id": message_id}).scalar_one())

    def handled(self, message_id: str, order_id: str) -> bool:
        """Tell whether the message had its effect already."""
        ids = self.HANDLED.c
        known = ids.message_id == message_id
        if "order_id" in ids:
            known |= ids.order_id == order_id
        wanted = sa.select(sa.literal(1)).where(known)
        with self._engine.connect() as tx:
            return tx.execute(wanted).first() is not None

    @classmethod
    def claim(cls, tx: sa.Connection, **row: Any) -> None:
        """Write the row of `HANDLED`; raise `Duplicate` where one of its ids is there already.

        The exception must end the transaction: PostgreSQL accepts nothing more after a failed statement, and
        a savepoint around it would, with Python's sqlite3, commit the row on its own.
        """
        try:
            tx.execute(_insert(cls.HANDLED), row)
        except IntegrityError as error:
            raise Duplicate(str(row)) from error


def select_in(tx: sa.Connection, table: sa.Table, column: str, values: Sequence[str]) -> Sequence[Any]:
    """Return the rows that have one of these values in a column; quick for thousands, see `insert_many`."""
    found: list[Any] = []
    quote, mark = tx.dialect.identifier_preparer.quote, _mark(tx)
    for start in range(0, len(values), MOST_VALUES):
        some = tuple(values[start : start + MOST_VALUES])
        marks = ", ".join([mark] * len(some))
        statement = f"SELECT * FROM {quote(table.name)} WHERE {quote(column)} IN ({marks})"  # noqa: S608 - as below
        found += tx.exec_driver_sql(statement, some)
    return found


def insert_many(tx: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values are in the order of the table's columns, but for one that numbers itself.

    By the driver's own means: SQLAlchemy's take several times as long for thousands of rows.
    """
    if not rows:
        return
    quote = tx.dialect.identifier_preparer.quote
    names = [column.name for column in table.columns if column is not table.autoincrement_column]
    marks = ", ".join([_mark(tx)] * len(names))
    columns = ", ".join(map(quote, names))
    statement = f"INSERT INTO {quote(table.name)} ({columns}) VALUES ({marks})"  # noqa: S608 - names of ours
    tx.exec_driver_sql(statement, list(rows))


def _mark(tx: sa.Connection) -> str:
    """Return what stands for a value in a statement of this driver."""
    return "?" if tx.dialect.paramstyle == "qmark" else "%s"
