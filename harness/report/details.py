"""What the page shows of one test: plain data made of its captures."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from harness.collector.inbox import Arrival
from harness.report.captured import CaptureRecord, ServiceRecord
from harness.report.faults import Aftermath, Instance
from harness.report.record import RunRecord, TestRecord
from harness.telemetry.events import ErrorEvent
from harness.telemetry.reading import View, read_envelope
from harness.telemetry.signals import Log, Metric
from harness.telemetry.spans import Span
from harness.telemetry.trace import Trace, build_trace
from harness.verify.evidence import origin_of
from harness.wire.envelope import Item, MalformedPayload

# A profile or a replay can have many megabytes; whoever wants them opens the file beside the page.
LARGEST_SHOWN = 256 * 1024
_LARGEST_BINARY = 1024
_FAULTS_SHOWN = 100


# Captures that share an envelope are neighbours; views of everything at once take many times what arrived.
_VIEWS_KEPT = 200


class Seen:
    """Everything that arrived, to be read when it is asked for.

    Args:
        record: the run, which knows whose project is whose.
        arrivals: what arrived.
    """

    def __init__(self, record: RunRecord, arrivals: Iterable[Arrival]) -> None:
        self.arrivals: Mapping[int, Arrival] = {arrival.number: arrival for arrival in arrivals}
        self._record = record
        self._read = lru_cache(_VIEWS_KEPT)(self._views)

    def views(self, capture: CaptureRecord) -> list[View]:
        """What is in the envelopes of a capture."""
        known = (number for number in capture.envelopes if number in self.arrivals)
        return [view for number in known for view in self._read(number)]

    def _views(self, number: int) -> tuple[View, ...]:
        arrival, service = self.arrivals[number], self._record.envelopes[number].service
        envelope = arrival.envelope
        if envelope is None:
            return ()
        names = {} if service is None else {arrival.project_id: service}
        return tuple(read_envelope(envelope, origin_of(arrival, names)))


def test_details(
    test: TestRecord,
    captures: Iterable[CaptureRecord],
    record: RunRecord,
    seen: Seen,
    after: Mapping[Instance, Aftermath],
) -> dict[str, Any]:
    """Everything about one test.

    Args:
        test: the test.
        captures: its captures, its scenario's own first.
        record: the run.
        seen: everything that arrived.
        after: what came of the faults of the run.
    """
    return {
        "message": test.message,
        "findings": [asdict(finding) for finding in test.findings],
        "differences": [asdict(difference) for difference in test.differences],
        "captures": [
            {
                **_capture(capture, record, seen, with_logs=test.outcome.is_bad),
                "faults": [
                    shown_aftermath(came)
                    for (execution, project), came in after.items()
                    if execution == capture.execution
                    and project in {record.faults[number].project for number in capture.faults}
                ],
            }
            for capture in captures
        ],
    }


test_details.__test__ = False  # type: ignore[attr-defined]


def trace_of(capture: CaptureRecord, seen: Seen) -> Trace:
    """The trace tree of a capture."""
    views = seen.views(capture)
    return build_trace(
        capture.id,
        [view for view in views if isinstance(view, Span)],
        [view for view in views if isinstance(view, ErrorEvent)],
        root_span_id=capture.span_id,
        starter=capture.entry if capture.page else None,
    )


def shown_aftermath(came: Aftermath) -> dict[str, Any]:
    """What the page shows of the faults of one instance.

    Args:
        came: what came of them.
    """
    groups = [list(group) for _, group in groupby(came.faults, key=attrgetter("text", "items", "kept"))]
    return {
        "service": came.service,
        "total": len(came.faults),
        "faults": [
            {
                "at": alike[0].at,
                "count": len(alike),
                "text": alike[0].text,
                "items": None if alike[0].file is None else list(alike[0].items),
                "kept": alike[0].kept,
                "file": alike[0].file,
            }
            for alike in groups[:_FAULTS_SHOWN]
        ],
        "unshown": len(groups[_FAULTS_SHOWN:]),
        "lost": dict(came.lost),
        "dropped": dict(came.dropped),
        "sent_again": came.sent_again,
        "arrived": dict(came.arrived),
        "resumed": dict(came.resumed),
    }


def _capture(capture: CaptureRecord, record: RunRecord, seen: Seen, *, with_logs: bool) -> dict[str, Any]:
    trace = trace_of(capture, seen)
    views = seen.views(capture)
    return {
        "trace": capture.id,
        "title": capture.title,
        "service": capture.service,
        "entry": capture.entry,
        "expected": capture.status,
        "isolated": capture.isolated,
        "problem": capture.problem,
        "page": None if capture.page is None else asdict(capture.page),
        "response": None if capture.response is None else asdict(capture.response),
        "spans": _waterfall(trace),
        "events": [
            {"service": event.service, "title": event.title, "span": event.span_id, "payload": event.payload}
            for event in trace.events
        ],
        "logs": [
            {
                "service": log.service,
                "level": log.level,
                "body": log.body,
                "at": log.timestamp,
                "data": log.attributes,
            }
            for log in views
            if isinstance(log, Log) and log.trace_id == capture.id
        ],
        "metrics": [
            {"service": held.service, "name": held.name, "type": held.type, "value": held.value, "unit": held.unit}
            for held in views
            if isinstance(held, Metric) and held.trace_id == capture.id
        ],
        "services": {
            name: _service(service, record, with_log=with_logs) for name, service in capture.services.items()
        },
        "envelopes": [
            _envelope(number, capture, record, seen) for number in capture.envelopes if number in seen.arrivals
        ],
    }


def _waterfall(trace: Trace) -> list[dict[str, Any]]:
    """Spans as rows, each below its parent, with how deep it is and how many events happened in it."""
    known = {span.span_id for span in trace.spans}
    loose = {id(span) for span in trace.unlinked}
    children: dict[str | None, list[Span]] = {}
    for span in trace.spans:
        parent = span.parent_span_id if span.parent_span_id in known else None
        children.setdefault(parent, []).append(span)
    rows: list[dict[str, Any]] = []
    pending = [(span, 0) for span in _latest_first(children.get(None, ()))]
    drawn: set[int] = set()
    while pending or (rest := [span for span in trace.spans if id(span) not in drawn]):
        # What no walk from a top reaches hangs in a circle: an honest page shows it too.
        span, depth = pending.pop() if pending else (_latest_first(rest)[-1], 0)
        if id(span) in drawn:
            continue
        drawn.add(id(span))
        rows.append(_row(span, depth, trace, is_loose=id(span) in loose))
        if span.span_id is not None:
            pending += [(child, depth + 1) for child in _latest_first(children.get(span.span_id, ()))]
    return rows


def _latest_first(spans: Iterable[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: (span.start or 0.0, span.span_id or ""), reverse=True)


def _row(span: Span, depth: int, trace: Trace, *, is_loose: bool) -> dict[str, Any]:
    return {
        "id": span.span_id,
        "depth": depth,
        "service": span.service or "?",
        "op": span.op,
        "name": span.name,
        "status": span.status,
        "http": span.http_status,
        "start": span.start,
        "end": span.end,
        "segment": span.is_segment,
        "loose": span.parent_span_id if is_loose else None,
        "unlinked": is_loose,
        "events": [number for number, event in enumerate(trace.events) if event.span_id == span.span_id],
        "data": span.attributes,
        "tags": span.tags,
    }


def _service(service: ServiceRecord, record: RunRecord, *, with_log: bool) -> dict[str, Any]:
    first, last = service.samples
    return {
        "state": service.state,
        "sdk": service.sdk,
        "release": service.release,
        "exit_code": service.exit_code,
        "fate": service.fate,
        "refusals": list(service.refusals),
        "log": "\n".join(record.log_lines[line] for line in service.log_tail) if with_log else "",
        "samples": [] if service.instance is None else record.resources[service.instance].samples[first:last],
    }


def _envelope(number: int, capture: CaptureRecord, record: RunRecord, seen: Seen) -> dict[str, Any]:
    arrival, about = seen.arrivals[number], record.envelopes[number]
    envelope = arrival.envelope
    return {
        "number": number,
        "file": about.file,
        "service": about.service,
        "size": about.wire_size,
        "encoding": about.content_encoding,
        "headers": {} if envelope is None else envelope.headers,
        "items": [] if envelope is None else [_item(item, capture.id) for item in envelope.items],
    }


def _item(item: Item, trace_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"headers": item.headers, "size": len(item.payload)}
    if item.type in ("span", "log", "trace_metric"):
        # A batch holds the entries of many scenarios; each page section shows its own.
        shown |= _own_entries(item, trace_id)
    elif len(item.payload) <= LARGEST_SHOWN:
        shown |= _readable(item)
    return shown


def _own_entries(item: Item, trace_id: str) -> dict[str, Any]:
    try:
        container = item.json()
        entries = container["items"]
        own = [entry for entry in entries if not isinstance(entry, dict) or entry.get("trace_id") == trace_id]
    except (MalformedPayload, KeyError, TypeError):
        return _readable(item)
    return {"json": {**container, "items": own}, "others": len(entries) - len(own)}


def _readable(item: Item) -> dict[str, Any]:
    try:
        return {"json": item.json()}
    except MalformedPayload:
        pass
    try:
        return {"text": item.payload.decode()[:LARGEST_SHOWN]}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(item.payload[:_LARGEST_BINARY]).decode()}
