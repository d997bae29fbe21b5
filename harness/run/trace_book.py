"""Which traces belong to scenarios, and thereby what is nobody's."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left

from harness.collector.inbox import Arrival, Inbox
from harness.telemetry.routing import trace_ids
from harness.wire.trace import SentryTrace


class TraceBook:
    """Which traces the scenarios started, and thereby what is nobody's.

    Every arrival is looked at once, however many scenarios ask: a trace is known before its first envelope can
    arrive, so what was an orphan stays one.

    Args:
        inbox: where envelopes arrive.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.started: set[str] = set()
        self._inbox = inbox
        self._looking = threading.Lock()
        self._looked_at = 0
        # Their numbers only: in a storm of them the arrivals themselves would fill the memory.
        self._orphans = array("Q")
        self._senders: set[str] = set()

    def new(self) -> SentryTrace:
        """A fresh trace."""
        trace = SentryTrace.new()
        self.started.add(trace.trace_id)
        return trace

    def adopt(self, *trace_ids: str) -> None:
        """Take traces that somebody else started, such as a page in a browser, for scenarios' from now on.

        Args:
            trace_ids: the traces; what has arrived of them is nobody's no longer.
        """
        with self._looking:
            self.started.update(trace_ids)
            found = map(self._inbox.arrival, self._orphans)
            self._orphans = array("Q", [held.number for held in found if _trace_ids(held).isdisjoint(trace_ids)])

    def orphans(self, since: int) -> list[Arrival]:
        """Arrivals that speak of no scenario's trace.

        Args:
            since: number of the first arrival to be listed.
        """
        with self._looking:
            self._look()
            numbers = self._orphans[bisect_left(self._orphans, since) :]
        return [self._inbox.arrival(number) for number in numbers]

    def heard_of(self, project_id: str) -> bool:
        """Whether anything ever arrived for a project."""
        with self._looking:
            self._look()
            return project_id in self._senders

    def _look(self) -> None:
        for arrival in self._inbox.arrivals(since=self._looked_at):
            self._looked_at = arrival.number + 1
            self._senders.add(arrival.project_id)
            if _trace_ids(arrival).isdisjoint(self.started):
                self._orphans.append(arrival.number)


def _trace_ids(arrival: Arrival) -> frozenset[str]:
    return frozenset() if arrival.envelope is None else trace_ids(arrival.envelope)
