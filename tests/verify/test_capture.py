from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dirty_equals import IsStr

from harness.collector.arrival import Arrival, Opened
from harness.verify.capture import Capture
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.verify.selection import CaptureError
from harness.wire.envelope import Envelope
from tests.samples import (
    LOG_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    TRIGGER_SPAN,
    arrival,
    child_span,
    container,
    envelope,
    error,
    json_item,
    streamed_span,
    transaction,
)

ANSWER = Response(
    status=500, headers={}, body=b'{"error": "crashed"}', elapsed_ms=12.0, url="http://127.0.0.1:1/debug/crash"
)
HEALTHY = ServiceFacts("payment", state="flushed", sdk="sentry.javascript.node/11.12.0", ever_contacted=True)


def evidence(
    *inside: tuple[str, Envelope], outside: tuple[tuple[str, Envelope], ...] = (), **changed: Any
) -> Evidence:
    projects = {"gateway": "1", "payment": "2"}
    numbered = [arrival(number, held, projects[name]) for number, (name, held) in enumerate(inside)]
    orphans = [arrival(100 + number, held, projects[name]) for number, (name, held) in enumerate(outside)]
    base = Evidence(
        title="payment GET /debug/crash",
        target="payment",
        trace_id=TRACE,
        span_id=TRIGGER_SPAN,
        response=ANSWER,
        arrivals=tuple(numbered),
        orphans=tuple(orphans),
        services={"gateway": replace(HEALTHY, name="gateway"), "payment": HEALTHY},
        services_by_project={project: name for name, project in projects.items()},
    )
    return replace(base, **changed)


def crash(**options: Any) -> tuple[str, Envelope]:
    return "payment", envelope(error(**options))


GATEWAY_SPAN = transaction(
    "proxy", span_id="a" * 16, spans=[child_span("b" * 16, "a" * 16, "GET http://x/debug/crash")]
)


def miss(capture: Capture, **criteria: Any) -> str:
    with pytest.raises(CaptureError) as caught:
        capture.error(**criteria)
    return str(caught.value)


def test_exactly_one() -> None:
    capture = Capture(evidence(crash()))
    assert capture.error().type == "ValueError"
    assert capture.error(service="payment", value=IsStr(regex="bo+m")).handled is False
    assert capture.trace_id == TRACE
    assert capture.response.json() == {"error": "crashed"}


def test_two_that_match_are_listed() -> None:
    capture = Capture(evidence(crash(), crash(value="again")))
    message = miss(capture)
    assert "expected exactly one of errors, but 2 arrived" in message
    assert "ValueError: boom" in message
    assert "ValueError: again" in message
    assert capture.find_error().value == "boom"
    assert capture.error(value="again")


def test_none_where_none_is_wanted() -> None:
    Capture(evidence()).no_error()
    with pytest.raises(CaptureError, match="expected no errors, but 1 arrived"):
        Capture(evidence(crash())).no_error()
    Capture(evidence(crash())).no_error(type="TypeError")


def test_messages_are_not_errors() -> None:
    capture = Capture(evidence(("payment", envelope(json_item("event", {"message": "leaked"})))))
    assert capture.message().message == "leaked"
    capture.no_error()


def test_an_unknown_criterion_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"ErrorEvent has no 'tpye'.*type"):
        Capture(evidence(crash())).error(tpye="ValueError")


def test_an_absence_is_believed_only_after_settling() -> None:
    later = evidence(crash())
    asked: list[bool] = []

    def refresh() -> Evidence:
        asked.append(True)
        return later

    capture = Capture(evidence(), refresh=refresh)
    assert capture.errors == ()
    assert capture.error().value == "boom"
    assert capture.error().value == "boom"
    assert asked == [True]
    with pytest.raises(CaptureError):
        Capture(evidence(), refresh=refresh).no_error()


def test_a_live_capture_reads_anew_at_every_look() -> None:
    grown = [evidence()]
    capture = Capture(grown[0], refresh=lambda: grown[0], live=True)
    assert capture.errors == ()
    grown[0] = evidence(crash())
    assert len(capture.errors) == 1


def test_only_this_traces_entries_of_a_mixed_batch() -> None:
    logs = container(
        "log", LOG_CONTENT, {"body": "mine", "trace_id": TRACE}, {"body": "theirs", "trace_id": OTHER_TRACE}
    )
    capture = Capture(evidence(("payment", envelope(logs, trace_id=None))))
    assert capture.log().body == "mine"
    assert len(capture.raw_items) == 1


def test_without_a_trace_everything_counts() -> None:
    capture = Capture(evidence(crash(trace_id=OTHER_TRACE), trace_id=None))
    assert capture.error().trace_id == OTHER_TRACE


def test_no_response_says_why() -> None:
    capture = Capture(evidence(response=None, problem="ConnectionError: refused"))
    with pytest.raises(LookupError, match="gave no response: ConnectionError: refused"):
        _ = capture.response
    assert "the request itself failed: ConnectionError: refused" in miss(capture)


def test_unknown_service_facts() -> None:
    with pytest.raises(LookupError, match="no service 'wallet' here; there are: gateway, payment"):
        Capture(evidence()).facts("wallet")


# The diagnosis: each of the ways in which instrumentation is commonly broken is told apart from the others.


def test_diagnosis_of_an_sdk_that_is_not_initialised() -> None:
    for state, words in [("not-initialised", "not initialised"), ("no-sdk", "runs without a Sentry SDK")]:
        facts = {"payment": replace(HEALTHY, state=state, sdk=None, ever_contacted=False)}
        message = miss(Capture(evidence(services=facts)))
        assert words in message.split("\n")[1]
        assert "never contacted its DSN" not in message


def test_diagnosis_of_a_lost_trace() -> None:
    outside = (("payment", envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE)),)
    message = miss(Capture(evidence(("gateway", envelope(GATEWAY_SPAN)), outside=outside)), service="payment")
    assert "the trace was lost on the way to payment: it reported 'ValueError: boom'" in message
    assert f"in trace {OTHER_TRACE}, not in {TRACE}" in message
    assert "last hop is gateway" in message


def test_diagnosis_of_a_lost_trace_by_spans_alone() -> None:
    segment = streamed_span("GET /debug/crash", span_id="9" * 16, parent=None, segment=True)
    segment["trace_id"] = OTHER_TRACE
    outside = (("payment", envelope(container("span", SPAN_CONTENT, segment), trace_id=OTHER_TRACE)),)
    message = miss(Capture(evidence(("gateway", envelope(GATEWAY_SPAN)), outside=outside)))
    assert "the trace was lost on the way to payment" in message


def test_diagnosis_of_what_the_sdk_dropped() -> None:
    report = {"discarded_events": [{"reason": "before_send", "category": "error", "quantity": 3}]}
    outside = (("payment", envelope(json_item("client_report", report), trace_id=None)),)
    message = miss(Capture(evidence(outside=outside)))
    assert "payment's SDK discarded 3 x error itself, reason 'before_send'" in message


def test_what_dedupe_of_the_python_sdk_dropped_had_been_sent() -> None:
    report = {"discarded_events": [{"reason": "event_processor", "category": "error", "quantity": 1}]}
    outside = (("payment", envelope(json_item("client_report", report), trace_id=None)),)
    python = {"payment": replace(HEALTHY, sdk="sentry.python.tornado/2.75.0")}
    assert "discarded" not in miss(Capture(evidence(outside=outside, services=python)))


def test_what_dedupe_of_a_javascript_sdk_dropped_was_another_error() -> None:
    report = {"discarded_events": [{"reason": "event_processor", "category": "error", "quantity": 1}]}
    outside = (("payment", envelope(json_item("client_report", report), trace_id=None)),)
    message = miss(Capture(evidence(outside=outside)))
    assert "payment's SDK discarded 1 x error itself, reason 'event_processor'" in message


def test_diagnosis_of_a_near_miss() -> None:
    message = miss(Capture(evidence(crash())), type="TypeError")
    assert "one arrived that differs: its type is 'ValueError', not 'TypeError'" in message


def test_diagnosis_of_a_wrong_dsn() -> None:
    facts = {"payment": replace(HEALTHY, ever_contacted=False)}
    assert "payment never contacted its DSN" in miss(Capture(evidence(services=facts)))


def test_diagnosis_of_a_dead_process_shows_its_log() -> None:
    facts = {"payment": replace(HEALTHY, state="exited", exit_code=1, log_tail="Error: out of memory")}
    message = miss(Capture(evidence(services=facts)))
    assert "ended with exit code 1" in message
    assert "Error: out of memory" in message


def test_diagnosis_of_a_container_in_trouble_says_what_befell_it() -> None:
    starved = "the kernel killed it because its memory limit of 96 MiB was reached (exit code 137, OOM)"
    facts = {"payment": replace(HEALTHY, state="exited", exit_code=137, fate=starved)}
    message = miss(Capture(evidence(services=facts)))
    assert f"payment could not send all it had: {starved}." in message
    assert f"flush exited, exit code 137; {starved}" in message


def test_diagnosis_of_refused_requests() -> None:
    facts = {"payment": replace(HEALTHY, refusals=("400 malformed envelope at offset 4",))}
    assert "the collector refused what payment sent: 400 malformed" in miss(Capture(evidence(services=facts)))


def test_diagnosis_of_a_swallowed_error() -> None:
    assert "the application never captured it" in miss(Capture(evidence(("payment", envelope(GATEWAY_SPAN)))))
    fine = replace(ANSWER, status=200)
    assert "the endpoint answered 200: did anything fail at all?" in miss(Capture(evidence(response=fine)))


def test_arrivals_without_an_envelope_are_no_obstacle() -> None:
    raw = Arrival(
        number=0, received_at=0.0, project_id="2", public_key="k", endpoint="minidump", headers=(), query="",
        content_encoding=None, wire_size=4, content=Opened(b"MDMP", None),
    )  # fmt: skip
    assert Capture(evidence(arrivals=(raw,))).errors == ()
