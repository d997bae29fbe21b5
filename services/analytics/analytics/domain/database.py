"""Opening the database: SQLite by default, PostgreSQL by URL, one behaviour for both."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, Insert, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from analytics.domain.tables import Table

CONNECT_SECONDS = 5
LOCK_WAIT_MS = 5000

# Two processes that start on one database must not create the same table at the same time. The number is arbitrary.
_TAKE_SCHEMA_LOCK = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(7239401)"}


class DatabaseUnavailableError(Exception):
    """The database cannot be opened; the message says which one and why."""


def open_database(url: URL) -> Engine:
    """Connect and create the tables that are missing.

    Statements run in worker threads, so that a slow one never holds up the event loop; each connection is used by one
    thread at a time. Errors do not show parameters: they are players' data, and errors are reported to Sentry.

    Args:
        url: of a SQLite file (`sqlite:///...`) or a PostgreSQL database (`postgresql+psycopg://...`).

    Raises:
        DatabaseUnavailableError: it does not answer, or does not let us create tables.
    """
    settings: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "postgresql":
        # Hours and days of a report are those of UTC, as they are in SQLite.
        options = {"connect_timeout": CONNECT_SECONDS, "options": "-c timezone=UTC"}
        settings |= {"pool_pre_ping": True, "connect_args": options}
    engine = create_engine(url, **settings)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        with engine.begin() as connection:
            create_schema(connection)
    except DBAPIError as problem:
        engine.dispose()
        shown, reason = url.render_as_string(hide_password=True), " ".join(str(problem.orig).split())
        raise DatabaseUnavailableError(f"cannot open the database {shown}: {reason}") from problem
    return engine


def create_schema(connection: Connection) -> None:
    """Create the tables and indexes that are missing, in the connection's transaction."""
    connection.execute(text(_TAKE_SCHEMA_LOCK[connection.dialect.name]))
    Table.metadata.create_all(connection)


def insert_unless_present(dialect: Dialect, table: type[Table]) -> Insert:
    """An INSERT that skips rows whose key is there already."""
    if dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Make a SQLite connection behave as PostgreSQL does where the service relies on it."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
    connection.create_function("pg_sleep", 1, time.sleep)
