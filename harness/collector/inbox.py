"""The inbox: where everything that arrives is kept, found by trace, and waited for."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.collector.limits import LARGEST_BODY
from harness.telemetry.routing import trace_ids
from harness.wire.encoding import decode_body
from harness.wire.envelope import Envelope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One accepted request, exactly as it came, and when.

    Attributes:
        number: Position in the inbox, counted from 0 in order of arrival.
        received_at: When the request was complete, in Unix seconds.
        project_id: Project of the DSN it was sent to.
        public_key: Key of the DSN it was sent with.
        endpoint: Which of Sentry's endpoints it was sent to: `envelope`, `store`, `security`, `nel`, `cron`,
            `minidump`, `attachments`, `unreal`, `otlp_traces` or `otlp_logs`.
        headers: Names (in lower case) and values of the request's headers.
        query: The request's query string, without its `?`.
        content_encoding: Value of the `Content-Encoding` header, None without one.
        body: The body, decoded.
        wire_size: Size of the body on the wire, in bytes.
        envelope: The envelope, or the one that Relay makes of such a request; None for an endpoint whose bodies are
            kept as they are.
    """

    number: int
    received_at: float
    project_id: str
    public_key: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    query: str
    content_encoding: str | None
    body: bytes
    wire_size: int
    envelope: Envelope | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is kept of an accepted request until somebody looks at it.

    The body stays as it came over the wire: while requests come in, memory for what they decode to would cost more
    than all the rest of accepting them.

    Attributes:
        received_at: As in `Arrival`, like all that are not explained here.
        wire_body: The body, still in its content encoding; known to be decodable.
        envelope: The envelope that Relay makes of a body that is not one; None if the body is one (the endpoint is
            `envelope`) or is kept as it is.
    """

    received_at: float
    project_id: str
    public_key: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    query: str
    content_encoding: str | None
    wire_body: bytes
    envelope: Envelope | None = None

    def open(self, number: int) -> Arrival:
        """Decode and read what was received.

        Args:
            number: Its position in the inbox.

        Returns:
            The arrival.
        """
        body = decode_body(self.wire_body, self.content_encoding, limit=LARGEST_BODY)
        return Arrival(
            number,
            self.received_at,
            self.project_id,
            self.public_key,
            self.endpoint,
            self.headers,
            self.query,
            self.content_encoding,
            body,
            len(self.wire_body),
            Envelope.parse(body) if self.endpoint == "envelope" else self.envelope,
        )


class Inbox:
    """Keeps arrivals in order and wakes who waits for them. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._received: list[Receipt] = []
        self._count = 0
        self._changes = 0
        # A lock of its own: reading takes long, and what arrives must not wait for it.
        self._reading = threading.Lock()
        self._arrivals: list[Arrival] = []
        self._by_trace: defaultdict[str, list[Arrival]] = defaultdict(list)
        self._indexed = 0

    def add(self, receipt: Receipt) -> None:
        """Keep what arrived and wake everybody who waits.

        Args:
            receipt: What arrived.
        """
        with self._changed:
            self._received.append(receipt)
            self._count += 1
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
        with self._reading:
            self._open_received()
            arrivals = self._arrivals[since:]
        if project_id is None:
            return arrivals
        return [arrival for arrival in arrivals if arrival.project_id == project_id]

    def for_trace(self, trace_id: str) -> list[Arrival]:
        """Find everything that speaks of a trace, in its header or in any of its items.

        Args:
            trace_id: The trace, 32 lower-case hex digits.

        Returns:
            The arrivals in order.
        """
        with self._reading:
            self._open_received()
            for arrival in self._arrivals[self._indexed :]:
                if arrival.envelope is not None:
                    for found in trace_ids(arrival.envelope):
                        self._by_trace[found].append(arrival)
                self._indexed += 1
            return list(self._by_trace.get(trace_id, ()))

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
            return self._count

    def _open_received(self) -> None:
        with self._changed:
            received, self._received = self._received, []
        for receipt in received:
            self._arrivals.append(receipt.open(len(self._arrivals)))
