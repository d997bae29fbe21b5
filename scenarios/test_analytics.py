"""Analytics: errors around a real database."""

from __future__ import annotations

from dirty_equals import IsInt, IsNumber, IsPartialDict, IsStr

from harness import loosen, scenario
from harness.verify.capture import Capture
from scenarios.expectations import check_breadcrumbs, check_memory, check_sender, milliseconds, runtime_contexts


def internal_error(capture: Capture) -> dict[str, str | None]:
    return {"error": "internal error", "request_id": capture.evidence.marker}


@scenario("analytics", "GET /debug/crash", status=500)
def test_crash(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json() == internal_error(capture)
    assert error.type == "ValueError"
    assert error.value == IsStr(regex=r"report rpt_\w+ cannot be closed: it covers 20 of 24 hours")
    assert (error.mechanism.type, error.handled, error.level) == ("starlette", False, "error")
    assert error.contexts == runtime_contexts("fastapi")
    assert error.sdk["name"] == "sentry.python.fastapi"
    check_sender(capture, error, "analytics", "crash")
    check_breadcrumbs(error, "request.accepted", "report.begin", "query", "report.aggregate", "report.close")
    check_memory(capture, error)


@scenario("analytics", "POST /debug/validation-error", status=500)
def test_validation_error(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json() == internal_error(capture)
    assert error.type == "ValidationError"
    assert error.value == IsStr(regex=r"(?s)2 validation errors for ProviderStatement.*delivery rcp_\w+")
    assert (error.mechanism.type, error.handled, error.level) == ("starlette", False, "error")
    check_sender(capture, error, "analytics", "validation-error")
    check_breadcrumbs(error, "request.accepted", "statement.receive", "statement.parse")


@scenario("analytics", "GET /debug/database-error", status=500)
def test_database_error(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "IntegrityError"
    assert error.value == IsStr(
        regex=r"(?s).*(UNIQUE constraint failed: events\.id|unique constraint \"events_pkey\").*"
    )
    assert error.exceptions[0].type in ("IntegrityError", "UniqueViolation")
    assert (error.mechanism.type, error.handled, error.level) == ("starlette", False, "error")
    check_sender(capture, error, "analytics", "database-error")
    stored = ("event.received", "query", "query")
    check_breadcrumbs(error, "request.accepted", *stored, "event.insert", *stored)
    inserts = [span for span in capture.spans if span.op == "db" and "INSERT INTO events" in span.name]
    assert len(inserts) == 2


@scenario("analytics", "GET /debug/timeout", status=504)
def test_timeout(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "TimeoutError"
    assert error.value == IsStr(regex=r"projection prj_\w+ was not ready after 150 ms")
    assert (error.handled, error.level) == (True, "error")
    check_sender(capture, error, "analytics", "timeout")
    assert [crumb.category for crumb in error.breadcrumbs][:3] == [
        "request.accepted",
        "projection.begin",
        "projection.deadline",
    ]
    assert capture.trace.segment("analytics").duration_ms == milliseconds(149)


@scenario("analytics", "GET /debug/memory-spike")
def test_memory_spike(capture: Capture) -> None:
    message = capture.message()
    capture.no_error()
    assert message.level == "warning"
    spike = message.contexts["memory_spike"]
    assert spike == {"before_mb": IsNumber(gt=10), "peak_mb": IsNumber(gt=10), "after_mb": IsNumber(gt=10)}
    assert spike["peak_mb"] - spike["before_mb"] > 30
    assert spike["after_mb"] < spike["peak_mb"]
    check_sender(capture, message, "analytics", "memory-spike")
    check_breadcrumbs(message, "request.accepted", "export.begin", "export.rendered")


@loosen("$.events[0].breadcrumbs[3].message", reason="it counts what other scenarios store meanwhile")
@scenario("analytics", "GET /debug/slow-query")
def test_slow_query(capture: Capture) -> None:
    message = capture.message()
    capture.no_error()
    assert message.level == "warning"
    assert message.contexts["query"] == IsPartialDict(
        duration_ms=milliseconds(150), statement=IsStr(regex="(?s)SELECT.*")
    )
    check_sender(capture, message, "analytics", "slow-query")
    check_breadcrumbs(message, "request.accepted", "report.begin", "query", "report.counted")
    query = capture.span(op="db")
    assert query.duration_ms == milliseconds(150)
    assert query.name == IsStr(regex="(?s)SELECT.*")
    assert capture.trace.path_to(query) == ["gateway", "analytics"]


@scenario("analytics", "GET /debug/n-plus-one")
def test_n_plus_one(capture: Capture) -> None:
    capture.no_error()
    capture.no_message()
    players = capture.response.json()["players"]
    assert players == IsInt(ge=5)
    queries = [span for span in capture.spans if span.op == "db"]
    assert len([query for query in queries if "FROM players" in query.name]) == 1
    per_player = [query for query in queries if "FROM events" in query.name]
    assert len(per_player) == players
    assert len({query.name for query in per_player}) == 1
    assert {query.parent_span_id for query in queries} == {capture.trace.segment("analytics").span_id}


EVENT = {"event_type": "deposit", "player_id": "player-1", "amount_cents": 5000, "payload": {"method": "card"}}


@scenario("analytics", "POST /events", status=201, json=EVENT)
def test_event_is_stored(capture: Capture) -> None:
    assert capture.response.json() == {"id": IsStr(regex="evt_.+")}
    capture.no_error()
    insert = capture.find_span(op="db", name=IsStr(regex="(?s)INSERT INTO events.*"))
    assert capture.trace.path_to(insert) == ["gateway", "analytics"]


@scenario("analytics", "GET /daily-stats?day=2026-01-31")
def test_daily_stats(capture: Capture) -> None:
    assert capture.response.json() == IsPartialDict(day="2026-01-31", events=IsInt(ge=0), by_type={})
    capture.no_error()
    assert all(span.name.startswith("SELECT") for span in capture.spans if span.op == "db")


@scenario("analytics", "POST /events", status=422, json={"event_type": "deposit"})
def test_a_bad_request_is_no_error(capture: Capture) -> None:
    capture.no_error()
    capture.no_message()
