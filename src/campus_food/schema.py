"""The tables, and how a database is opened: the same on SQLite and PostgreSQL."""

import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()

# No two services have a table of one name with different contents, so that they may share a database.

# How often work was begun on a message that was delivered more than once.
ATTEMPTS = sa.Table(
    "attempts",
    METADATA,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("begun", sa.Integer, nullable=False),
)

INBOX = sa.Table(
    "inbox",
    METADATA,
    sa.Column("message_id", sa.Text, primary_key=True),
    # An order that comes again under another message id is still the same order.
    sa.Column("order_id", sa.Text, nullable=False, unique=True),
)

STOCK = sa.Table(
    "stock",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("quantity", sa.BigInteger, sa.CheckConstraint("quantity >= 0"), nullable=False),
)

# No unique order id here: the inbox is the one place where a duplicate is recognised.
RESERVATIONS = sa.Table(
    "reservations",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False, index=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("items", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("published", sa.Boolean, nullable=False, index=True),
)

# What notification has handled, and what it sent.
NOTIFICATION_INBOX = sa.Table(
    "notification_inbox",
    METADATA,
    sa.Column("message_id", sa.Text, primary_key=True),
)

NOTIFICATIONS = sa.Table(
    "notifications",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False, index=True),
    sa.Column("user_id", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("items", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

# What order accepted, and the message that it became; `key` is the caller's idempotency key.
ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("items", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("confirmed", sa.Boolean, nullable=False),
)

# How often requests under an idempotency key reached a service over HTTP.
SEEN = sa.Table(
    "seen",
    METADATA,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("times", sa.Integer, nullable=False),
)

# What order was asked for over HTTP in the synchronous chain, and the answer, once that is decided.
CALLS = sa.Table(
    "calls",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("items", sa.Text, nullable=False),
    sa.Column("wanted", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, index=True),
    sa.Column("answer", sa.Text),
    # Whether a reservation is still to be given back.
    sa.Column("releasing", sa.Boolean, nullable=False, index=True),
)

# How long a writer waits for another, in milliseconds. Well below the broker's heartbeat, since a
# consumer that waits here answers none.
LOCK_WAIT = 2000

# Any number, the same for every instance: the name of a lock.
MAKING_TABLES = 20260217


def open_engine(url: str, tables: Sequence[sa.Table], synchronous: str = "FULL") -> sa.Engine:
    """Open the database; where it is new, make these tables.

    Safe where several instances do it at once. Raises SQLAlchemy's `OperationalError` where the database is
    locked or away: try again. `synchronous` is for SQLite: with WAL, NORMAL survives a kill but not a loss of
    power, which takes the last transactions back; FULL survives both.
    """
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", partial(_configure_sqlite, synchronous))
    if engine.dialect.name == "postgresql":
        sa.event.listen(engine, "connect", _configure_postgresql)
    with engine.begin() as tx:
        if engine.dialect.name == "postgresql":
            # There, of two that make the same table at once, the second fails in spite of IF NOT EXISTS.
            tx.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING_TABLES)))
        for table in tables:
            tx.execute(sa.schema.CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                tx.execute(sa.schema.CreateIndex(index, if_not_exists=True))
    return engine


def _configure_postgresql(connection: Any, _record: Any) -> None:
    # Its own default is to wait for ever, as the consumer's link would not.
    connection.execute(f"SET lock_timeout = {LOCK_WAIT}")
    connection.commit()


def _configure_sqlite(synchronous: str, connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT}")
    # Readers (HTTP) and the writer do not wait for each other.
    _switch_to_wal(connection)
    connection.execute(f"PRAGMA synchronous = {synchronous}")


def _switch_to_wal(connection: Any) -> None:
    """Change the journal mode; of several connections that do so at once, SQLite lets all but one fail.

    The busy time-out does not apply to this change, so it is tried again here, for as long.
    """
    deadline = time.monotonic() + LOCK_WAIT / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
