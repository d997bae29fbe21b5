from __future__ import annotations

import pytest

from harness.telemetry.origin import Origin
from harness.telemetry.reading import read_telemetry
from harness.telemetry.trace import Trace, build_trace
from harness.wire.envelope import Envelope
from tests.samples import (
    SPAN_CONTENT,
    TRACE,
    TRIGGER_SPAN,
    child_span,
    container,
    envelope,
    error,
    streamed_span,
    transaction,
)

GATEWAY, CALL, SERVER, HANDLER = "a" * 16, "b" * 16, "c" * 16, "d" * 16


def gateway(parent: str = TRIGGER_SPAN) -> Envelope:
    call = child_span(CALL, GATEWAY, "GET http://127.0.0.1:9/debug/crash")
    return envelope(transaction("proxy", span_id=GATEWAY, parent=parent, spans=[call]))


def payment(parent: str = CALL) -> Envelope:
    server = streamed_span("GET /debug/crash", span_id=SERVER, parent=parent, segment=True)
    handler = streamed_span("handler", span_id=HANDLER, parent=SERVER, op="handler")
    return envelope(container("span", SPAN_CONTENT, handler, server))


def trace_of(**sent: Envelope) -> Trace:
    telemetry = read_telemetry((held, Origin(service=name.split("_")[0])) for name, held in sent.items())
    return build_trace(TRACE, telemetry.spans, telemetry.events, root_span_id=TRIGGER_SPAN)


def test_path_follows_parent_spans_through_the_services() -> None:
    trace = trace_of(gateway=gateway(), payment=payment(), payment_error=envelope(error(span_id=HANDLER)))
    (event,) = trace.events
    assert trace.path_to(event) == ["gateway", "payment"]
    assert trace.services == ["gateway", "payment"]
    assert trace.unlinked == []
    assert trace.segment("payment").span_id == SERVER
    assert trace.span_of(event) == trace.children(trace.segment("payment"))[0]


def test_a_hop_that_only_shares_the_trace_id_does_not_count() -> None:
    # A gateway that copies the front end's headers: right trace, the gateway's own span skipped.
    trace = trace_of(
        gateway=gateway(), payment=payment(parent=TRIGGER_SPAN), payment_e=envelope(error(span_id=HANDLER))
    )
    assert trace.path_to(trace.events[0]) == ["payment"]


def test_a_missing_link_is_named() -> None:
    lost = "e" * 16
    trace = trace_of(payment=payment(parent=lost), payment_error=envelope(error(span_id=HANDLER)))
    assert trace.path_to(trace.events[0]) == [f"<no span {lost}>", "payment"]
    assert [span.span_id for span in trace.unlinked] == [SERVER]
    assert lost in trace.render()


def test_an_event_whose_span_was_not_sent_is_followed_by_its_parent() -> None:
    trace = trace_of(payment_error=envelope(error(span_id="f" * 16)))
    assert trace.path_to(trace.events[0]) == ["payment"]
    assert "its span ffffffffffffffff was not sent" in trace.render()


def test_cycles_end() -> None:
    first = streamed_span("a", span_id=SERVER, parent=HANDLER)
    second = streamed_span("b", span_id=HANDLER, parent=SERVER)
    trace = trace_of(payment=envelope(container("span", SPAN_CONTENT, first, second)))
    assert trace.path_to(trace.spans[0])[0].startswith("<cycle")
    assert isinstance(trace.render(), str)


def test_segment_of_a_service_that_sent_none_is_explained() -> None:
    with pytest.raises(LookupError, match=r"expected one segment of payment .* found: none"):
        trace_of(gateway=gateway()).segment("payment")


def test_render_shows_the_tree_with_its_errors() -> None:
    trace = trace_of(gateway=gateway(), payment=payment(), payment_error=envelope(error(span_id=HANDLER)))
    lines = [line.strip() for line in trace.render().splitlines()]
    assert [line.split()[0] for line in lines] == ["gateway", "gateway", "payment", "payment", "!"]
    assert lines[-1] == "! ValueError: boom"


def test_the_sdks_own_requests_are_not_part_of_the_trace() -> None:
    call = child_span(CALL, GATEWAY, "POST http://127.0.0.1:9/api/3/envelope/")
    telemetry = read_telemetry(
        [(envelope(transaction(span_id=GATEWAY, spans=[call])), Origin(service="gateway", project_id="3"))]
    )
    trace = build_trace(TRACE, telemetry.spans, telemetry.events, root_span_id=TRIGGER_SPAN)
    assert [span.span_id for span in trace.spans] == [GATEWAY]
