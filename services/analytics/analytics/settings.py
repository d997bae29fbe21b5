"""What the environment says about the database and the warehouse."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from analytics.domain.warehouse import Warehouse
from observability.settings import BadSetting

WAREHOUSE_ACCOUNT = "analytics"
# A warehouse on the developer's own machine.
_LOCAL_PASSWORD = "local"  # noqa: S105 - it opens nothing

_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


@contextmanager
def database_url() -> Iterator[URL]:
    """The database to use: DATABASE_URL, else a SQLite file in the directory ANALYTICS_DATA, else in a temporary one.

    DATABASE_PASSWORD_FILE names a file with the password for DATABASE_URL, so that it is in no environment. A
    temporary directory is removed at the end.

    Raises:
        BadSetting: DATABASE_URL is not of a kind that is supported, ANALYTICS_DATA cannot be made a directory, or
            DATABASE_PASSWORD_FILE holds no password.
    """
    given, directory = os.environ.get("DATABASE_URL", "").strip(), os.environ.get("ANALYTICS_DATA", "").strip()
    if given:
        yield _with_password_of_file(read_database_url(given))
    elif directory:
        try:
            Path(directory).mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise BadSetting(f"ANALYTICS_DATA must be a directory: {problem}") from problem
        yield _file_in(Path(directory))
    else:
        with tempfile.TemporaryDirectory(prefix="analytics-", ignore_cleanup_errors=True) as temporary:
            yield _file_in(Path(temporary))


def read_database_url(text: str) -> URL:
    """Read a database URL and name its driver.

    Raises:
        BadSetting: it is no URL, names another database system, or a SQLite database in memory, of which each thread
            would see one of its own.
    """
    # The message does not repeat the value: it may contain a password.
    wanted = "DATABASE_URL must be postgresql://user:password@host/database or sqlite:////path/of/file"
    try:
        url = make_url(text)
    except ArgumentError as problem:
        raise BadSetting(f"{wanted}; it is not a URL") from problem
    if url.drivername not in _DRIVERS:
        raise BadSetting(f"{wanted}, not {url.drivername}://")
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        raise BadSetting(f"{wanted}; a SQLite database in memory is not supported")
    return url.set(drivername=_DRIVERS[url.drivername])


def _with_password_of_file(url: URL) -> URL:
    path = os.environ.get("DATABASE_PASSWORD_FILE", "").strip()
    if not path:
        return url
    try:
        password = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise BadSetting(f"DATABASE_PASSWORD_FILE cannot be read: {problem}") from problem
    if not password:
        raise BadSetting(f"DATABASE_PASSWORD_FILE must be a file with the database's password, {path} is empty")
    return url.set(password=password)


def read_warehouse() -> Warehouse:
    """The account at the warehouse, with the password of WAREHOUSE_PASSWORD."""
    return Warehouse(WAREHOUSE_ACCOUNT, os.environ.get("WAREHOUSE_PASSWORD", "").strip() or _LOCAL_PASSWORD)


def _file_in(directory: Path) -> URL:
    return URL.create("sqlite", database=str(directory / "analytics.sqlite3"))
