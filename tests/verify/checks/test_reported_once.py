from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration

from harness.verify.checks.reported_once import reported_once
from harness.verify.finding import Finding
from harness.wire.envelope import Item
from tests.samples import TRACE, TRIGGER_SPAN, arrival, child_span, envelope, json_item, transaction
from tests.verify.checks.capturing import codes, findings, of_sdk

GATEWAY, CALL, PAYMENT = ("a" * 16, "b" * 16, "c" * 16)
HOPS = (
    ("1", transaction("proxy", span_id=GATEWAY, spans=[child_span(CALL, GATEWAY, "GET http://payment/")])),
    ("2", transaction("debit", span_id=PAYMENT, parent=CALL)),
)
TEXT = "wallet wal_7 has no funds"


def event(*exceptions: dict[str, Any], span_id: str = "00000000000000e1", **payload: Any) -> Item:
    trace = {"trace_id": TRACE, "span_id": span_id, "parent_span_id": TRIGGER_SPAN}
    held: dict[str, Any] = {"level": "error", "contexts": {"trace": trace}, **payload}
    return json_item("event", held | ({"exception": {"values": list(exceptions)}} if exceptions else {}))


def exception(kind: str, value: str, *frames: dict[str, Any], mechanism: str = "generic") -> dict[str, Any]:
    return {
        "type": kind,
        "value": value,
        "mechanism": {"type": mechanism, "handled": True},
        "stacktrace": {"frames": list(frames)},
    }


def frame(function: str, lineno: int = 7, *, in_app: bool = True) -> dict[str, Any]:
    return {"function": function, "module": "wallet", "lineno": lineno, "in_app": in_app}


def found(*items: Item) -> list[Finding]:
    return findings(reported_once, *(envelope(item) for item in items))


def across(*sent: tuple[str, Item]) -> list[Finding]:
    arrivals = [arrival(number, envelope(item), project) for number, (project, item) in enumerate([*HOPS, *sent])]
    return findings(reported_once, arrivals=tuple(arrivals))


def test_the_same_exception_captured_on_its_way_up() -> None:
    inner = [frame("debit")]
    outer = [frame("handle", 90), frame("middleware", 91), *inner, frame("_lib", in_app=False)]
    first = event(exception("NoFunds", TEXT, *inner), event_id="1" * 32)
    again = event(exception("NoFunds", TEXT, *outer, mechanism="starlette"), event_id="2" * 32)
    (finding,) = found(first, again)
    assert (finding.code, finding.path) == ("reported-once.duplicate", "$.exception.values[0]")
    assert "1" * 32 in finding.message
    assert "starlette" in str(finding.item)


def test_an_exception_and_again_the_one_raised_from_it() -> None:
    cause = exception("NoFunds", TEXT, frame("debit"))
    wrapped = exception("PaymentRefused", "refused", frame("pay", 30))
    assert codes(found(event(cause), event(cause, wrapped))) == ["reported-once.duplicate"]
    assert codes(found(event(cause, wrapped), event(cause))) == ["reported-once.duplicate"]


@pytest.mark.parametrize(
    "other",
    [
        exception("NoFunds", "wallet wal_8 has no funds", frame("debit")),
        exception("LookupError", TEXT, frame("debit")),
        exception("NoFunds", TEXT, frame("debit", 8)),
        exception("NoFunds", TEXT, frame("credit")),
    ],
)
def test_different_failures_of_one_request(other: dict[str, Any]) -> None:
    assert found(event(exception("NoFunds", TEXT, frame("debit"))), event(other)) == []


def test_two_failures_with_the_same_cause_are_two() -> None:
    cause = exception("ConnectionRefused", "refused", frame("connect"))
    first = event(cause, exception("NoWallet", "no wallet", frame("wallet")))
    assert found(first, event(cause, exception("NoBonus", "no bonus", frame("bonus")))) == []


def test_one_event_sent_twice_is_one_finding() -> None:
    item = event(exception("NoFunds", TEXT, frame("debit")), event_id="1" * 32)
    (finding,) = found(item, item)
    assert (finding.code, finding.path) == ("reported-once.same-event", "$.event_id")


def test_one_message_sent_twice() -> None:
    item = event(message="hello", event_id="1" * 32)
    assert codes(found(item, item)) == ["reported-once.same-event"]


def test_a_logger_that_tells_of_a_captured_exception() -> None:
    captured = event(exception("NoFunds", TEXT, frame("debit")))
    logged = event(logger="wallet", logentry={"message": f"payment failed: {TEXT}"})
    (finding,) = found(captured, logged)
    assert (finding.code, finding.path) == ("reported-once.logged-too", "$.logentry")
    assert "logger 'wallet'" in finding.message


def test_a_logger_that_captures_the_exception_as_well() -> None:
    cause = exception("NoFunds", TEXT, frame("debit"))
    captured, logged = event(cause, event_id="1" * 32), event(cause, event_id="2" * 32, logger="wallet")
    for sent in ((captured, logged), (logged, captured)):
        (finding,) = found(*sent)
        assert (finding.code, finding.path) == ("reported-once.logged-too", "$.logger")
        assert "logger 'wallet'" in finding.message
        assert "1" * 32 in finding.message


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("boom", "boom", []),  # too short to be known again
        ("boom", "NoFunds: boom", ["reported-once.logged-too"]),
        (TEXT, "another thing", []),
        ("", "anything", []),
    ],
)
def test_what_counts_as_a_quote(value: str, text: str, expected: list[str]) -> None:
    captured = event(exception("NoFunds", value, frame("debit")))
    assert codes(found(captured, event(logger="wallet", logentry={"message": text}))) == expected


def test_a_captured_message_is_no_log() -> None:
    assert found(event(exception("NoFunds", TEXT, frame("debit"))), event(message=f"failed: {TEXT}")) == []


@pytest.mark.parametrize(
    "again",
    [
        exception("NoFunds", TEXT, frame("forward")),
        exception("UpstreamError", f"payment answered 500: {TEXT}", frame("forward")),
    ],
)
def test_a_failure_reported_again_by_the_caller(again: dict[str, Any]) -> None:
    called = ("2", event(exception("NoFunds", TEXT, frame("debit")), span_id=PAYMENT, event_id="1" * 32))
    for sent in ((("1", event(again, span_id=CALL)), called), (called, ("1", event(again, span_id=GATEWAY)))):
        (finding,) = across(*sent)
        assert (finding.code, finding.service) == ("reported-once.re-reported", "game")
        assert "what payment has reported as event " + "1" * 32 in finding.message


def test_a_caller_with_a_failure_of_its_own() -> None:
    own = event(exception("UpstreamError", "payment broke off its answer", frame("forward")), span_id=GATEWAY)
    called = event(exception("NoFunds", TEXT, frame("debit")), span_id=PAYMENT)
    assert across(("1", own), ("2", called)) == []


def test_services_beside_each_other_may_fail_alike() -> None:
    beside = transaction("stats", span_id="d" * 16, parent=TRIGGER_SPAN)
    refused = exception("ConnectionRefused", "connection refused", frame("connect"))
    sent = (("1", event(refused, span_id="d" * 16)), ("2", event(refused, span_id=PAYMENT)))
    arrivals = [
        arrival(number, envelope(item), project)
        for number, (project, item) in enumerate([("1", beside), HOPS[1], *sent])
    ]
    assert findings(reported_once, arrivals=tuple(arrivals)) == []


def debit() -> None:
    raise LookupError(TEXT)


def capture_and_raise() -> None:
    try:
        debit()
    except LookupError:
        sentry_sdk.capture_exception()
        raise


def raise_twice(capture_again: Callable[[BaseException], object]) -> None:
    try:
        capture_and_raise()
    except LookupError as problem:
        capture_again(problem)


def test_dedupe_of_the_real_sdk_makes_it_one() -> None:
    assert of_sdk(reported_once, lambda: raise_twice(sentry_sdk.capture_exception), default_integrations=True) == []


def test_without_dedupe_the_real_sdk_reports_it_twice() -> None:
    assert codes(of_sdk(reported_once, lambda: raise_twice(sentry_sdk.capture_exception))) == [
        "reported-once.duplicate"
    ]


def test_the_real_logging_integration_reports_it_as_well() -> None:
    def log(problem: BaseException) -> None:
        logging.getLogger("wallet").error("debit failed: %s", problem)

    integrations = [LoggingIntegration()]
    assert codes(of_sdk(reported_once, lambda: raise_twice(log), integrations=integrations)) == [
        "reported-once.logged-too"
    ]


def test_the_real_logging_integration_with_the_exception() -> None:
    def log(problem: BaseException) -> None:
        logging.getLogger("wallet").exception("debit failed", exc_info=problem)

    integrations = [LoggingIntegration()]
    assert codes(of_sdk(reported_once, lambda: raise_twice(log), integrations=integrations)) == [
        "reported-once.logged-too"
    ]
