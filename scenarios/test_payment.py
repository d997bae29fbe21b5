"""Payment: a wallet ledger on Node."""

from __future__ import annotations

from dirty_equals import IsInt, IsNumber, IsPartialDict, IsPositive, IsStr

from harness import allow, scenario
from harness.telemetry.events import ErrorEvent
from harness.verify.capture import Capture
from scenarios.expectations import (
    check_breadcrumbs,
    check_memory,
    check_sender,
    milliseconds,
    node_contexts,
    runtime_contexts,
)


def check_node(event: ErrorEvent) -> None:
    assert event.platform == "node"
    assert event.sdk["name"] == "sentry.javascript.node"
    assert event.contexts == runtime_contexts("express")
    assert event.contexts == node_contexts()


@scenario("payment", "GET /debug/crash", status=500)
def test_crash(capture: Capture) -> None:
    error = capture.error()
    failed = {"error": "payment failed to answer this request", "request_id": capture.evidence.marker}
    assert capture.response.json() == failed
    assert error.type == "LedgerImbalance"
    assert error.value == IsStr(regex=r"postings of transaction txn_\w+ are off by -1 cents")
    assert (error.mechanism.type, error.handled, error.level) == ("auto.http.express", False, "error")
    assert [frame.in_app for frame in error.frames].count(True) >= 2
    check_node(error)
    check_sender(capture, error, "payment", "crash", currency="EUR")
    check_breadcrumbs(error, "wallet.session", "jackpot.won", "ledger.post")
    check_memory(capture, error)
    segment = capture.trace.segment("payment")
    assert segment.http_status == 500
    assert segment.release == capture.facts("payment").release


@allow(
    "response-consistent.error-on-success",
    reason="the point of the endpoint: a promise that nobody awaits fails after the client was told 'accepted'",
)
@scenario("payment", "GET /debug/promise-rejection", status=202)
def test_promise_rejection(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json() == IsPartialDict(status="accepted")
    assert error.type == "UndeliverableReceipt"
    assert (error.mechanism.type, error.handled, error.level) == ("auto.node.onunhandledrejection", False, "error")
    check_node(error)
    check_sender(capture, error, "payment", "promise-rejection")
    check_breadcrumbs(error, "wallet.credit", "receipt.render", "receipt.deliver")
    assert capture.facts("payment").exit_code is None


@scenario("payment", "GET /debug/async-error", status=500)
def test_async_error(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "PayoutRefused"
    assert error.value == IsStr(regex=r"payout pyo_\w+ of 75000 cents is above the daily limit of 50000")
    assert (error.mechanism.type, error.handled, error.level) == ("auto.http.express", False, "error")
    check_node(error)
    check_sender(capture, error, "payment", "async-error")
    check_breadcrumbs(error, "payout.request", "wallet.reserve", "payout.provider")


@scenario("payment", "GET /debug/type-error", status=500)
def test_type_error(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "TypeError"
    assert error.value == IsStr(regex=r"Cannot read properties of undefined \(reading 'pay_\w+'\)")
    assert (error.mechanism.type, error.handled, error.level) == ("auto.http.express", False, "error")
    check_node(error)
    check_sender(capture, error, "payment", "type-error", currency="SEK")
    check_breadcrumbs(error, "wallet.debit", "fee.schedule", "fee.override")


@scenario("payment", "GET /debug/stack-overflow", status=500)
def test_stack_overflow(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "RangeError"
    assert error.value == IsStr(regex=r"netting run net_\w+: Maximum call stack size exceeded")
    assert (error.mechanism.type, error.handled, error.level) == ("auto.http.express", False, "error")
    assert len(error.frames) > 5
    check_node(error)
    check_sender(capture, error, "payment", "stack-overflow")
    check_breadcrumbs(error, "wallet.session", "netting.start", "netting.follow")


@scenario("payment", "GET /debug/memory-leak")
def test_memory_leak(capture: Capture) -> None:
    message = capture.message()
    capture.no_error()
    assert message.level == "warning"
    leak = message.contexts["memory_leak"]
    assert leak == {
        "before_mb": IsPositive,
        "after_mb": IsPositive,
        "growth_mb": IsNumber(gt=-64, le=64),
        "retained_mb": IsInt(ge=4, le=128),
    }
    check_node(message)
    check_sender(capture, message, "payment", "memory-leak")
    check_breadcrumbs(message, "wallet.history", "receipt.render", "cache.growth")
    assert capture.metric(name="payment.receipt_cache.retained").value == leak["retained_mb"]


@scenario("payment", "GET /debug/event-loop-block")
def test_event_loop_block(capture: Capture) -> None:
    message = capture.message()
    capture.no_error()
    assert message.level == "warning"
    assert message.message == IsStr(regex=r"Event loop blocked for \d+ ms while sealing journal page jrn_\w+")
    assert message.contexts["event_loop"] == IsPartialDict(requested_ms=300, delay_max_ms=milliseconds(290))
    check_sender(capture, message, "payment", "event-loop-block")
    check_breadcrumbs(message, "wallet.audit", "journal.seal", "event_loop.delay")
    assert capture.metric(name="payment.event_loop.delay").value == milliseconds(290)


@scenario("payment", "GET /debug/database-error", status=503)
def test_database_error(capture: Capture) -> None:
    error = capture.error()
    assert capture.response.json()["error"] == "a service behind payment is unavailable"
    assert error.type == "Error"
    assert error.value == IsStr(regex=r"archived transaction txn_\w+: connect ECONNREFUSED 127\.0\.0\.1:\d+")
    assert (error.mechanism.type, error.handled, error.level) == ("auto.http.express", False, "error")
    assert error.contexts["node_system_error"] == IsPartialDict(code="ECONNREFUSED", syscall="connect")
    check_node(error)
    check_sender(capture, error, "payment", "database-error", **{"db.system": "postgresql"})
    check_breadcrumbs(error, "wallet.history", "ledger.lookup", "db.connect")
    assert capture.trace.path_to(capture.span(op="db")) == ["gateway", "payment"]


@allow(
    "response-consistent.error-on-success",
    reason="the point of the endpoint: a timer throws after the client was told 'accepted', and ends the process",
)
@scenario("payment", "GET /debug/uncaught-exception", status=202, exit_code=1)
def test_uncaught_exception_arrives_although_the_process_dies(capture: Capture) -> None:
    error = capture.error()
    assert error.type == "SettlementNotOpen"
    assert (error.mechanism.type, error.handled, error.level) == ("auto.node.onuncaughtexception", False, "fatal")
    check_node(error)
    check_sender(capture, error, "payment", "uncaught-exception")
    check_breadcrumbs(error, "wallet.session", "settlement.request", "settlement.timer")


BOOKING = {
    "player_id": "player-pays",
    "type": "debit",
    "amount_cents": 2500,
    "currency": "EUR",
    "reference": "order-1",
}


@scenario("payment", "POST /process", json=BOOKING)
def test_booking(capture: Capture) -> None:
    booked = capture.response.json()
    assert booked == IsPartialDict(transaction_id=IsStr(regex="txn_.+"), balance_cents=97_500, replayed=False)
    capture.no_error()
    assert capture.trace.path_to(capture.span(op="ledger.book")) == ["gateway", "payment"]
    log = capture.log()
    assert (log.level, log.body) == ("info", f"booked debit of 2500 cents as {booked['transaction_id']}")
    assert capture.trace.path_to(log) == ["gateway", "payment"]
    assert capture.metric(name="payment.bookings").value == 1
    amount = capture.metric(name="payment.amount")
    assert (amount.type, amount.value, amount.unit) == ("distribution", 2500, "cent")


@scenario(
    "payment", "POST /process", status=402, json={**BOOKING, "amount_cents": 90_000_000, "reference": "order-2"}
)
def test_insufficient_funds_are_no_error(capture: Capture) -> None:
    capture.no_error()
    capture.no_message()
