"""Database work with a deadline: the event loop gives up waiting, and the database stops working."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")

CANCEL_AGAIN_SECONDS = 0.01


class CancellableQuery(Generic[T]):
    """Work on a database connection, done in a worker thread, that stops when the waiting task is cancelled.

    A thread cannot be cancelled, so a timeout alone would leave the statement running, with a connection of the pool.
    """

    def __init__(self, purpose: str, engine: Engine, work: Callable[[Connection], T]) -> None:
        """Prepare the work; nothing runs yet.

        Args:
            purpose: what it is for, such as `report rpt_3f9a12c4`, as the subject of error messages.
            engine: where the connection comes from.
            work: what to do with it.
        """
        self.purpose = purpose
        self._engine = engine
        self._work = work
        self._driver_connection: Any = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    async def fetch(self) -> T:
        """Do the work in a worker thread.

        Raises:
            CancelledError: the waiting task was cancelled; the database has stopped by then.
        """
        running = asyncio.create_task(asyncio.to_thread(self._run))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread of its own, started at once: when the process shuts down, this task may be cancelled a second
            # time, and whatever it awaits here may never be done. A daemon, because the work may never have begun.
            threading.Thread(target=self._stop, name=f"stop {self.purpose}", daemon=True).start()
            await asyncio.gather(running, return_exceptions=True)
            raise

    def _run(self) -> T:
        try:
            with self._engine.connect() as connection:
                self._offer_for_cancelling(connection.connection.driver_connection)
                try:
                    return self._work(connection)
                finally:
                    # Before the connection goes back to the pool, where a late cancel would hit somebody else's work.
                    self._offer_for_cancelling(None)
        finally:
            self._ended.set()

    def _stop(self) -> None:
        # Cancelling does nothing to a connection between two statements, hence again and again.
        while not self._ended.wait(CANCEL_AGAIN_SECONDS):
            with self._lock:
                if isinstance(self._driver_connection, sqlite3.Connection):
                    self._driver_connection.interrupt()
                elif self._driver_connection is not None:
                    self._driver_connection.cancel_safe()

    def _offer_for_cancelling(self, driver_connection: Any) -> None:
        with self._lock:
            self._driver_connection = driver_connection


async def fetch_before(deadline_ms: int, query: CancellableQuery[T]) -> T:
    """Run a query in a worker thread and wait for it, but not longer than the deadline.

    Args:
        deadline_ms: in milliseconds, from now.
        query: what to run.

    Raises:
        TimeoutError: the deadline has passed; the database has stopped by then.
    """
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            return await query.fetch()
    except TimeoutError as problem:
        raise TimeoutError(f"{query.purpose} was not ready after {deadline_ms} ms") from problem
