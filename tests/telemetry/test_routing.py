from __future__ import annotations

from harness.telemetry.routing import trace_ids
from harness.wire.envelope import Item
from tests.samples import (
    LOG_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    container,
    envelope,
    error,
    json_item,
    streamed_span,
    transaction,
)


def test_header_and_payload_both_count() -> None:
    assert trace_ids(envelope(error(trace_id=OTHER_TRACE))) == {TRACE, OTHER_TRACE}
    assert trace_ids(envelope(transaction(span_id="1" * 16), trace_id=None)) == {TRACE}


def test_containers_speak_of_every_trace_inside() -> None:
    logs = container("log", LOG_CONTENT, {"trace_id": TRACE}, {"trace_id": OTHER_TRACE}, {"trace_id": None}, {})
    assert trace_ids(envelope(logs, trace_id=None)) == {TRACE, OTHER_TRACE}
    spans = container("span", SPAN_CONTENT, streamed_span("a", span_id="1" * 16, parent=None))
    assert trace_ids(envelope(spans, trace_id=None)) == {TRACE}


def test_profiles_and_replays() -> None:
    assert trace_ids(envelope(json_item("profile", {"transactions": [{"trace_id": TRACE}]}), trace_id=None)) == {
        TRACE
    }
    assert trace_ids(envelope(json_item("replay_event", {"trace_ids": [TRACE]}), trace_id=None)) == {TRACE}


def test_what_cannot_be_read_speaks_of_nothing() -> None:
    broken = Item(headers={"type": "event"}, payload=b"{")
    assert trace_ids(envelope(broken, json_item("event", []), json_item("session", {}), trace_id=None)) == frozenset()
    assert trace_ids(envelope(trace_id=None)) == frozenset()
