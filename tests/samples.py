"""Small envelopes in the form that today's SDKs send, to be varied by tests."""

from __future__ import annotations

import json
from typing import Any

from harness.collector.arrival import Arrival, Opened, Receipt
from harness.collector.inbox import Inbox
from harness.wire.envelope import Envelope, Item

TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE = "1bf7651916cd43dd8448eb211c80319d"
TRIGGER_SPAN = "b7ad6b7169203331"

SPAN_CONTENT = "application/vnd.sentry.items.span.v2+json"
LOG_CONTENT = "application/vnd.sentry.items.log+json"
METRIC_CONTENT = "application/vnd.sentry.items.trace-metric+json"


def envelope(*items: Item, trace_id: str | None = TRACE, event_id: str | None = None, **headers: Any) -> Envelope:
    held: dict[str, Any] = dict(headers)
    if trace_id is not None:
        held["trace"] = {"trace_id": trace_id, "public_key": "front"}
    if event_id is not None:
        held["event_id"] = event_id
    return Envelope(headers=held, items=list(items))


def json_item(kind: str, payload: Any, **headers: Any) -> Item:
    return Item(headers={"type": kind, **headers}, payload=json.dumps(payload).encode())


def error(
    kind: str = "ValueError",
    value: str = "boom",
    *,
    trace_id: str | None = TRACE,
    span_id: str = "00000000000000e1",
    handled: bool | None = False,
    **payload: Any,
) -> Item:
    contexts: dict[str, Any] = dict(payload.pop("contexts", {}))
    if trace_id is not None:
        contexts["trace"] = {"trace_id": trace_id, "span_id": span_id, "parent_span_id": TRIGGER_SPAN}
    exception = {
        "type": kind,
        "value": value,
        "mechanism": {"type": "tornado", "handled": handled},
        "stacktrace": {"frames": [{"function": "spin", "module": "slots", "lineno": 7, "in_app": True}]},
    }
    return json_item(
        "event", {"level": "error", "exception": {"values": [exception]}, "contexts": contexts, **payload}
    )


def transaction(
    name: str = "GET /spin",
    *,
    span_id: str,
    parent: str | None = TRIGGER_SPAN,
    trace_id: str = TRACE,
    spans: list[dict[str, Any]] | None = None,
    op: str = "http.server",
    start: float = 100.0,
    **payload: Any,
) -> Item:
    return json_item(
        "transaction",
        {
            "type": "transaction",
            "transaction": name,
            "start_timestamp": start,
            "timestamp": start + 0.25,
            "contexts": {"trace": {"trace_id": trace_id, "span_id": span_id, "parent_span_id": parent, "op": op}},
            "spans": spans or [],
            **payload,
        },
    )


def child_span(span_id: str, parent: str, description: str, op: str = "http.client", **more: Any) -> dict[str, Any]:
    times = {"start_timestamp": 100.1, "timestamp": 100.2}
    return {"span_id": span_id, "parent_span_id": parent, "description": description, "op": op, **times, **more}


def streamed_span(
    name: str,
    *,
    span_id: str,
    parent: str | None,
    segment: bool = False,
    op: str = "http.server",
    attributes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    held = {"sentry.op": {"value": op, "type": "string"}}
    held |= {key: {"value": value, "type": "string"} for key, value in (attributes or {}).items()}
    return {
        "name": name,
        "span_id": span_id,
        "trace_id": TRACE,
        "parent_span_id": parent,
        "start_timestamp": 100.15,
        "end_timestamp": 100.18,
        "is_segment": segment,
        "status": "ok",
        "attributes": held,
    }


def container(kind: str, content_type: str, *entries: dict[str, Any]) -> Item:
    return json_item(kind, {"version": 2, "items": list(entries)}, item_count=len(entries), content_type=content_type)


def arrival(number: int, held: Envelope, project: str = "1") -> Arrival:
    body = held.serialize()
    return Arrival(
        number=number,
        received_at=1000.0 + number,
        project_id=project,
        public_key="key",
        endpoint="envelope",
        headers=(),
        query="",
        content_encoding=None,
        wire_size=len(body),
        content=Opened(body, held),
    )


def add_to(inbox: Inbox, held: Envelope, project: str = "1") -> None:
    inbox.add(Receipt(1000.0, project, "key", "envelope", (), "", None, held.serialize()))
