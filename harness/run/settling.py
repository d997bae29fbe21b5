"""When is a scenario's telemetry complete? After a flush barrier, and once every hop of the trace has reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from harness.collector.inbox import Inbox
from harness.fleet.fleet import FLUSH_TIMEOUT
from harness.fleet.flushing import FlushReport
from harness.telemetry.origin import Origin
from harness.telemetry.reading import read_telemetry
from harness.telemetry.spans import Span

# How long a trace with an open end is waited for. A healthy trace is complete at the first barrier; one that has an
# open end after this time is broken, or its service sends no spans.
OPEN_END_GRACE = 1.0
# How long a service without a flush agent must be silent. SDKs batch logs and metrics for 5 seconds.
QUIET_PERIOD = 6.0

_SILENT = frozenset({"no-sdk", "not-initialised", "exited"})


class Flushable(Protocol):
    """What settling needs of a fleet."""

    def flush(self, *, timeout: float = FLUSH_TIMEOUT) -> dict[str, FlushReport]:
        """Ask services to send everything they hold, and wait until they have."""


def settle(
    trace_id: str,
    root_span_id: str | None,
    fleet: Flushable,
    inbox: Inbox,
    *,
    entry: str,
    netlocs: Mapping[str, str],
    grace: float = OPEN_END_GRACE,
    deprived: Callable[[], Collection[str]] = frozenset,
    flush_timeout: float = FLUSH_TIMEOUT,
) -> dict[str, FlushReport]:
    """Wait until nothing more of a trace can come.

    A barrier alone is not enough: a hop may still be closing its span while the client has its answer already. So the
    trace must also be closed: the entry service's segment is there, and every request from one service to another has
    its other end. And it must have been closed when the barrier began, because a service may log what came of a
    request once its span is over. What stays open is waited for a grace and then left to the diagnosis.

    Args:
        trace_id: the scenario's trace.
        root_span_id: the span that was announced to the entry service; None when no service was called.
        fleet: what to flush.
        inbox: where envelopes arrive.
        entry: service that the trigger was sent to.
        netlocs: service names by the host and port that they are called at.
        grace: seconds to wait for what stays open.
        deprived: gives the services of which a fault, injected on purpose, has swallowed something: their ends of the
            trace are not waited for.
        flush_timeout: seconds that each SDK may take to flush.
    """
    deadline: float | None = None
    was_closed = _is_closed(spans_of(trace_id, inbox), root_span_id, entry, netlocs, deprived())
    while True:
        seen = len(inbox)
        reports = fleet.flush(timeout=flush_timeout)
        hit = set(deprived())
        silent = {name for name, report in reports.items() if report.state in _SILENT} | hit
        is_closed = _is_closed(spans_of(trace_id, inbox), root_span_id, entry, netlocs, silent)
        # An SDK that a fault keeps from flushing will not do it a second time either.
        is_stuck = any(report.state == "timed-out" for name, report in reports.items() if name in hit)
        if is_closed and (was_closed or is_stuck):
            break
        was_closed = is_closed
        if is_closed:
            continue
        now = time.monotonic()
        deadline = deadline or now + grace
        if now >= deadline:
            break
        inbox.wait_for(_more_than(inbox, seen), deadline - now)
    if any(report.state == "no-agent" for report in reports.values()):
        _wait_for_quiet(inbox)
    return reports


def spans_of(trace_id: str, inbox: Inbox) -> list[Span]:
    """The spans of a trace that have arrived, whoever sent them.

    Args:
        trace_id: the trace.
        inbox: where envelopes arrive.
    """
    found = read_telemetry(
        (arrival.envelope, Origin(project_id=arrival.project_id))
        for arrival in inbox.for_trace(trace_id)
        if arrival.envelope is not None
    )
    return [span for span in found.spans if span.trace_id == trace_id]


def _is_closed(
    spans: list[Span],
    root_span_id: str | None,
    entry: str,
    netlocs: Mapping[str, str],
    silent: Collection[str],
) -> bool:
    parents = {span.parent_span_id for span in spans}
    if root_span_id is not None and entry not in silent and root_span_id not in parents:
        return False
    for span in spans:
        if not (span.op or "").startswith("http.client") or span.is_sdk_transport:
            continue
        called = netlocs.get(urlsplit(span.url or "").netloc)
        if called is not None and called not in silent and span.span_id not in parents:
            return False
    return True


def _wait_for_quiet(inbox: Inbox) -> None:
    seen = len(inbox)
    while inbox.wait_for(_more_than(inbox, seen), QUIET_PERIOD):
        seen = len(inbox)


def _more_than(inbox: Inbox, seen: int) -> Callable[[], bool | None]:
    return lambda: len(inbox) > seen or None
