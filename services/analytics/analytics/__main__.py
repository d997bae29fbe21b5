"""Run the service: `python -m analytics`."""

from __future__ import annotations

from contextlib import closing

from analytics.application import create_application
from analytics.debug.demonstration import add_demonstration_data
from analytics.domain.database import DatabaseUnavailableError, open_database
from analytics.instrumentation import SERVICE, instrument
from analytics.settings import database_url, read_warehouse
from observability.asgi import serve
from observability.guard import open_guard
from observability.settings import BadSetting, bind, read_address, run_service
from observability.structured_log import log_to_stdout

DEFAULT_PORT = 8002


def main() -> None:
    """Open the port and the database, then serve until a signal says stop.

    Raises:
        BadSetting: the environment does not let the service work.
    """
    log_to_stdout(SERVICE)
    instrument()
    guard = open_guard(SERVICE)
    with closing(bind(read_address(DEFAULT_PORT))) as listener, database_url() as url:
        try:
            engine = open_database(url)
        except DatabaseUnavailableError as problem:
            raise BadSetting(f"{problem}; see DATABASE_URL and ANALYTICS_DATA") from problem
        try:
            with engine.begin() as connection:
                add_demonstration_data(connection)
            serve(create_application(engine, read_warehouse(), guard), listener)
        finally:
            engine.dispose()


run_service(SERVICE, main)
