"""Which requests are being served, so that a shutdown can let them finish."""

from __future__ import annotations

import asyncio


class InFlight:
    """Counts the requests being served; belongs to one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """A request has come in."""
        self._count += 1
        self._idle.clear()

    def end(self) -> None:
        """A request has been answered."""
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def drain(self, seconds: float) -> bool:
        """Wait until no request is being served, at most `seconds`; tells whether that was reached."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
