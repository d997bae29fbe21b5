"""Which arrivals speak of which trace, in little memory: there may be millions of both."""

from __future__ import annotations

import hashlib
from array import array

_KEY_SIZE = 16


class TraceIndex:
    """Numbers by trace id, in the order in which they were added.

    Each entry names the one before it of the same trace, so a trace costs one entry of a dictionary and a number in
    it 16 bytes, however many there are.
    """

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._numbers = array("Q")
        self._before = array("q")

    def add(self, trace_id: str, number: int) -> None:
        """Note that an arrival speaks of a trace.

        Args:
            trace_id: The trace, whatever text the sender takes for one.
            number: The arrival.
        """
        key = _key(trace_id)
        self._before.append(self._last.get(key, -1))
        self._last[key] = len(self._numbers)
        self._numbers.append(number)

    def find(self, trace_id: str) -> list[int]:
        """List the arrivals of a trace.

        Args:
            trace_id: The trace.

        Returns:
            Their numbers in order.
        """
        found = []
        entry = self._last.get(_key(trace_id), -1)
        while entry >= 0:
            found.append(self._numbers[entry])
            entry = self._before[entry]
        return found[::-1]


def _key(trace_id: str) -> bytes:
    return hashlib.blake2b(trace_id.encode(errors="surrogatepass"), digest_size=_KEY_SIZE).digest()
