"""All connections of a collector together: how many there are, how long they may take, how much they hold."""

from __future__ import annotations

import asyncio
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.collector.limits import LARGEST_BODY

if TYPE_CHECKING:
    from harness.collector.connection import Connection

# Bodies that are being read, all together.
_LARGEST_HELD = 4 * LARGEST_BODY
_MOST_CONNECTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take.

    Attributes:
        request: Seconds for a request, and as many for reading its answer.
        slowest: Bytes a second with which a request earns itself more time.
        idle: Seconds between two requests.
    """

    request: float = 60.0
    slowest: float = 16 * 1024
    idle: float = 600.0


class Connections:
    """The open connections of a collector; used by its event loop only.

    Args:
        patience: How long a client may take.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._open: set[Connection] = set()
        self._held = 0
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        is_limited = descriptors != resource.RLIM_INFINITY
        # Descriptors are shared with everything else in the process.
        self._most = min(_MOST_CONNECTIONS, descriptors // 2) if is_limited else _MOST_CONNECTIONS

    def add(self, connection: Connection) -> None:
        """Take a new connection in; if there are too many, the one closes that has done nothing for the longest.

        Args:
            connection: The connection.
        """
        if len(self._open) >= self._most:
            stalest = min(self._open, key=lambda held: held.since)
            self._open.discard(stalest)
            stalest.give_way()
        self._open.add(connection)

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)

    def hold(self, size: int) -> bool:
        """Take a piece of a body into memory.

        Args:
            size: Its size in bytes.

        Returns:
            Whether there was room for it; if not, it must not be kept.
        """
        if self._held + size > _LARGEST_HELD:
            return False
        self._held += size
        return True

    def let_go(self, size: int) -> None:
        """Give back the room of as many bytes."""
        self._held -= size

    async def watch(self, stopping: asyncio.Event) -> None:
        """Hurry slow clients until the collector stops, and close what is open then.

        Args:
            stopping: Set when the collector stops.
        """
        pace = min(1.0, self.patience.request / 4, self.patience.idle / 4)
        while not stopping.is_set():
            try:
                await asyncio.wait_for(stopping.wait(), pace)
            except TimeoutError:
                now = time.monotonic()
                for connection in list(self._open):
                    connection.hurry(now)

    async def close(self) -> None:
        """Close all connections, whatever they are doing."""
        await asyncio.gather(*[connection.close() for connection in self._open])
