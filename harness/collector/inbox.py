"""The inbox: where everything that arrives is kept, found by trace, and waited for."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from harness.collector.arrival import Arrival, Content, Opened, Receipt
from harness.collector.spool import Spool
from harness.collector.trace_index import TraceIndex
from harness.telemetry.routing import trace_ids
from harness.wire.envelope import Envelope

__all__ = ["DEFAULT_MEMORY", "Arrival", "Inbox", "Receipt"]

T = TypeVar("T")

DEFAULT_MEMORY = 256 * 1024 * 1024
"""Bytes of what arrived that are kept in memory, unless it is said otherwise."""

# What a read item takes beside its payload.
_ITEM_OVERHEAD = 1024


class Inbox:
    """Keeps arrivals in order and wakes who waits for them. Every method may be called from any thread.

    Args:
        memory: Bytes of what arrived to be kept in memory; the rest is on disk. What was read lately is kept in
            memory too, up to as many bytes again.
    """

    def __init__(self, memory: int = DEFAULT_MEMORY) -> None:
        self._changed = threading.Condition()
        self._spool = Spool(memory)
        self._changes = 0
        self._opened = _Opened(memory, self._open)
        # Scenarios that run at the same time hold mostly the same arrivals.
        self._in_use: WeakValueDictionary[int, Arrival] = WeakValueDictionary()
        # A lock of its own: reading takes long, and what arrives must not wait for it.
        self._indexing = threading.Lock()
        self._by_trace = TraceIndex()
        self._indexed = 0

    def add(self, receipt: Receipt) -> None:
        """Keep what arrived and wake everybody who waits.

        Args:
            receipt: What arrived.

        Raises:
            NoRoom: It cannot be written to disk.
        """
        with self._changed:
            self._spool.append(receipt)
            self._changes += 1
            self._changed.notify_all()

    def wake(self) -> None:
        """Let everybody who waits look again, because something else that they look at has changed."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def arrivals(self, *, project_id: str | None = None, since: int = 0) -> list[Arrival]:
        """List what arrived.

        Args:
            project_id: Only what was sent to this project; None for everything.
            since: Number of the first arrival to be listed.

        Returns:
            The arrivals in order.
        """
        arrivals = map(self.arrival, range(since, len(self)))
        return [arrival for arrival in arrivals if project_id in (None, arrival.project_id)]

    def arrival(self, number: int) -> Arrival:
        """Give one arrival.

        Args:
            number: Its number, less than the length of the inbox.

        Returns:
            The arrival; what it consists of is read when it is asked for.
        """
        if (known := self._in_use.get(number)) is not None:
            return known
        receipt, wire_size = self._spool.receipt(number, with_body=False)
        made = Arrival(
            number,
            receipt.received_at,
            receipt.project_id,
            receipt.public_key,
            receipt.endpoint,
            receipt.headers,
            receipt.query,
            receipt.content_encoding,
            wire_size,
            _Kept(number, self._opened),
        )
        return self._in_use.setdefault(number, made)

    def for_trace(self, trace_id: str) -> list[Arrival]:
        """Find everything that speaks of a trace, in its header or in any of its items.

        Args:
            trace_id: The trace, 32 lower-case hex digits.

        Returns:
            The arrivals in order.
        """
        with self._indexing:
            for number in range(self._indexed, len(self)):
                envelope = self._opened.get(number).envelope
                for found in () if envelope is None else trace_ids(envelope):
                    self._by_trace.add(found, number)
                self._indexed += 1
            numbers = self._by_trace.find(trace_id)
        return [self.arrival(number) for number in numbers]

    def wait_for(self, ready: Callable[[], T | None], timeout: float) -> T | None:
        """Wait until something has arrived.

        Args:
            ready: Looks whether it has, and returns what is wanted, or None. Called once at the beginning and again
                after every arrival, in the waiting thread and without any lock held.
            timeout: Longest time to wait, in seconds.

        Returns:
            What `ready` returned, or None when the time is over.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                seen = self._changes
            result = ready()
            if result is not None:
                return result
            with self._changed:
                while self._changes == seen:
                    remaining = deadline - time.monotonic()
                    if remaining <= 0:
                        return None
                    self._changed.wait(remaining)

    def __len__(self) -> int:
        with self._changed:
            return len(self._spool)

    @property
    def spilled(self) -> int:
        """Bytes of what arrived that are on disk."""
        with self._changed:
            return self._spool.spilled

    def _open(self, number: int) -> Opened:
        return self._spool.receipt(number)[0].open()


class _Opened:
    """What was decoded and read lately, so that it is not done again for each look."""

    def __init__(self, memory: int, open_anew: Callable[[int], Opened]) -> None:
        self._memory = memory
        self._open_anew = open_anew
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Opened] = OrderedDict()
        self._taken = 0

    def get(self, number: int) -> Opened:
        with self._lock:
            if (known := self._kept.get(number)) is not None:
                self._kept.move_to_end(number)
                return known
        opened = self._open_anew(number)
        with self._lock:
            if number not in self._kept:
                self._kept[number] = opened
                self._taken += _size(opened)
                while self._taken > self._memory:
                    self._taken -= _size(self._kept.popitem(last=False)[1])
        return opened


class _Kept(Content):
    """Content of an arrival that the inbox keeps."""

    __slots__ = ("_number", "_opened")

    def __init__(self, number: int, opened: _Opened) -> None:
        self._number = number
        self._opened = opened

    @property
    def body(self) -> bytes:
        return self._opened.get(self._number).body

    @property
    def envelope(self) -> Envelope | None:
        return self._opened.get(self._number).envelope

    def __reduce__(self) -> tuple[type[Opened], tuple[bytes, Envelope | None]]:
        # In another process there is no inbox to read from.
        opened = self._opened.get(self._number)
        return Opened, (opened.body, opened.envelope)


def _size(opened: Opened) -> int:
    """Bytes that an opened content takes: its body, the payloads cut out of it, and what stands around them."""
    items = 0 if opened.envelope is None else len(opened.envelope.items)
    return 2 * len(opened.body) + _ITEM_OVERHEAD * (items + 1)
