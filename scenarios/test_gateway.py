"""The gateway's own errors, and what it does for everybody's trace."""

from __future__ import annotations

import pytest
from dirty_equals import IsPartialDict, IsStr

from harness import allow, loosen, scenario
from harness.fixtures.capture import TriggerFixture
from harness.verify.capture import Capture
from scenarios.expectations import check_breadcrumbs, check_memory, check_sender, runtime_contexts


@scenario("gateway", "GET /debug/crash", status=500)
def test_crash(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json() == {"error": "internal server error", "request_id": capture.evidence.marker}
    assert error.type == "ValueError"
    assert error.value == IsStr(regex=r"route analytics of table rev_\w+ has no valid port in .*")
    assert (error.mechanism.type, error.handled, error.level) == ("starlette", False, "error")
    assert error.contexts == runtime_contexts("starlette")
    check_sender(capture, error, "gateway", "crash")
    check_breadcrumbs(error, "gateway.request", "routes.fetch", "routes.parse")
    check_memory(capture, error)


@scenario("gateway", "GET /debug/upstream-down", status=502)
def test_upstream_down(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json()["error"] == "refusing-upstream is not available"
    assert error.type == "UpstreamUnreachable"
    assert error.exceptions[0].type == "ConnectError"
    assert (error.mechanism.type, error.handled, error.level) == ("starlette", True, "error")
    assert error.contexts == runtime_contexts("starlette")
    check_sender(capture, error, "gateway", "upstream-down", upstream="refusing-upstream")
    check_breadcrumbs(error, "gateway.request", "gateway.forward", "gateway.upstream")
    call = capture.span(op="http.client")
    assert call.http_status is None
    assert capture.trace.segment("gateway").http_status == 502


@loosen("$.events[0].exceptions[0].type", reason="on a busy machine even connecting takes too long")
@loosen("$.events[0].exceptions[1].type", reason="on a busy machine even connecting takes too long")
@scenario("gateway", "GET /debug/upstream-timeout", status=504)
def test_upstream_timeout(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "UpstreamTimeout"
    marker = capture.evidence.marker
    assert error.value == IsStr(regex=rf"silent-upstream at .* gave request {marker} no answer within 300 ms")
    assert (error.mechanism.type, error.handled, error.level) == ("starlette", True, "error")
    check_sender(capture, error, "gateway", "upstream-timeout", upstream="silent-upstream")
    check_breadcrumbs(error, "gateway.request", "gateway.forward", "gateway.upstream")
    assert (capture.span(op="http.client").duration_ms or 0) >= 290


@scenario("gateway", "GET /health")
def test_health_makes_no_noise(capture: Capture) -> None:
    assert capture.response.json() == IsPartialDict(status="ok", service="gateway")
    capture.no_error()
    capture.no_message()


@allow(
    "trace-connected.not-reached",
    reason="browsers send preflights without trace headers, so CORS answers them before tracing begins",
)
@pytest.mark.parametrize("path", ["/debug/crash", "/api/v1/payment/process"])
def test_a_browser_may_send_trace_headers(trigger: TriggerFixture, path: str) -> None:
    preflight = trigger(
        "gateway",
        f"OPTIONS {path}",
        headers={
            "Origin": "http://localhost:5173",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "sentry-trace, baggage",
        },
    )
    assert preflight.response.status in (200, 204)
    allowed = preflight.response.headers["access-control-allow-headers"].lower()
    assert "sentry-trace" in allowed
    assert "baggage" in allowed


def test_an_unknown_service_is_not_found_and_no_error(trigger: TriggerFixture) -> None:
    capture = trigger("gateway", "GET /api/v1/lottery/draw")
    assert capture.response.status == 404
    capture.no_error()
