from __future__ import annotations

from typing import Any

from harness.verify.capture import Capture
from harness.verify.checks.registry import judge, judge_run
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from harness.wire.envelope import Envelope
from harness.wire.trace import DynamicSamplingContext
from tests.samples import (
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    TRIGGER_SPAN,
    arrival,
    child_span,
    container,
    envelope,
    error,
    streamed_span,
    transaction,
)

GATEWAY, CALL, SERVER = "a" * 16, "b" * 16, "c" * 16
PROJECTS = {"1": "gateway", "2": "payment"}
FACTS = {
    "gateway": ServiceFacts("gateway", state="flushed", url="http://127.0.0.1:8"),
    "payment": ServiceFacts("payment", state="flushed", url="http://127.0.0.1:9"),
    "analytics": ServiceFacts("analytics", state="flushed", url="http://127.0.0.1:10"),
}
SAMPLED = DynamicSamplingContext(TRACE, "front", sampled="true")
ANSWER = Response(status=500, headers={}, body=b"{}", elapsed_ms=1.0, url="http://127.0.0.1:1/debug/crash")


def call(port: int = 9, span_id: str = CALL, status: int | None = 500) -> dict[str, Any]:
    return child_span(
        span_id, GATEWAY, f"GET http://127.0.0.1:{port}/debug/crash", data={"http.response.status_code": status}
    )


def gateway(*calls: dict[str, Any]) -> tuple[str, Envelope]:
    return "1", envelope(transaction("proxy", span_id=GATEWAY, spans=list(calls or (call(),))))


def payment(parent: str | None = CALL) -> tuple[str, Envelope]:
    span = streamed_span("GET /debug/crash", span_id=SERVER, parent=parent, segment=True)
    return "2", envelope(container("span", SPAN_CONTENT, span))


def crash(**options: Any) -> tuple[str, Envelope]:
    return "2", envelope(error(**{"span_id": SERVER, **options}))


def codes(*sent: tuple[str, Envelope], **changed: Any) -> list[str]:
    evidence = Evidence(
        title="payment GET /debug/crash",
        target="payment",
        trace_id=TRACE,
        span_id=changed.get("span_id", TRIGGER_SPAN),
        entry=changed.get("entry", "gateway"),
        page=changed.get("page"),
        services=changed.get("services", FACTS),
        sampling_context=changed.get("sampling_context"),
        response=changed.get("response", ANSWER),
        arrivals=tuple(arrival(number, held, project) for number, (project, held) in enumerate(sent)),
        services_by_project=PROJECTS,
    )
    findings = judge(Capture(evidence), CheckSettings()).findings
    return [finding.code for finding in findings if finding.check == "trace-connected"]


def test_a_whole_trace_is_fine() -> None:
    assert codes(gateway(), payment(), crash()) == []


def test_a_page_is_the_root_of_its_trace_and_nobody_else() -> None:
    in_page: dict[str, Any] = {"entry": "gateway", "page": PageView("http://127.0.0.1:8/"), "span_id": None}
    page = envelope(transaction("press", span_id=GATEWAY, parent=None, spans=[call()]))
    between_spans = "1", envelope(error(span_id="f" * 16))
    assert codes(("1", page), payment(), crash(), between_spans, **in_page) == []
    assert codes(("1", page), payment(parent=None), **in_page) == ["trace-connected.second-root"]
    assert codes(("1", page), payment(), crash(span_id="f" * 16), **in_page) == ["trace-connected.missing-span"]


def test_a_page_may_call_from_outside_of_any_span() -> None:
    announced: dict[str, Any] = {"entry": "gateway", "page": PageView("http://127.0.0.1:8/"), "span_id": CALL}
    between_spans = "1", envelope(error(span_id="f" * 16))
    assert codes(payment(), crash(), between_spans, **announced) == []
    assert codes(payment(parent="e" * 16), crash(), **announced) == ["trace-connected.missing-parent"]


def test_a_hop_that_was_cut_out() -> None:
    assert codes(gateway(), payment(parent="e" * 16), crash()) == ["trace-connected.missing-parent"]


def test_a_hop_that_took_only_the_trace_id() -> None:
    assert codes(gateway(), payment(parent=None), crash()) == ["trace-connected.second-root"]


def test_an_event_of_a_span_that_nobody_sent() -> None:
    assert codes(gateway(), payment(), crash(span_id="f" * 16)) == ["trace-connected.missing-span"]


def test_a_service_that_is_not_in_the_trace() -> None:
    assert codes(gateway()) == ["trace-connected.not-reached"]
    assert codes(gateway(), response=None) == []


def test_a_hop_that_hands_on_the_headers_that_it_got() -> None:
    assert codes(gateway(), payment(parent=TRIGGER_SPAN), crash()) == ["trace-connected.skipped-hop"]
    # Where the trigger goes to, and who is not traced at all, is not skipped.
    assert codes(payment(parent=TRIGGER_SPAN), crash(), entry="payment") == []
    assert codes(payment(parent=TRIGGER_SPAN), crash()) == []


def test_a_call_that_is_not_continued() -> None:
    lost = call(10, "d" * 16)
    assert codes(gateway(call(), lost), payment(), crash()) == ["trace-connected.not-reached"]
    assert codes(gateway(call(), lost, call(10, "e" * 16)), payment(), crash()) == ["trace-connected.not-reached"]
    again = call(9, "d" * 16)
    assert codes(gateway(call(), again), payment(), crash()) == ["trace-connected.not-reached"]


def test_calls_that_need_no_other_end() -> None:
    unanswered, elsewhere = call(10, "d" * 16, status=None), call(11, "e" * 16)
    assert codes(gateway(call(), unanswered, elsewhere), payment(), crash()) == []
    without_sdk = {**FACTS, "analytics": ServiceFacts("analytics", state="no-sdk", url="http://127.0.0.1:10")}
    assert codes(gateway(call(), call(10, "d" * 16)), payment(), crash(), services=without_sdk) == []


def test_a_service_that_reports_errors_without_tracing() -> None:
    assert codes(gateway(), crash(), sampling_context=SAMPLED) == ["trace-connected.no-spans"]
    assert codes(gateway(), payment(), crash(), sampling_context=SAMPLED) == []
    assert codes(gateway(), crash(), sampling_context=None) == []
    unsampled = DynamicSamplingContext(TRACE, "front", sampled="false")
    assert codes(gateway(), crash(), sampling_context=unsampled) == []


def test_spans_that_are_missing_for_a_reason_that_is_told_elsewhere() -> None:
    died = {**FACTS, "payment": ServiceFacts("payment", state="exited", exit_code=1, url="http://127.0.0.1:9")}
    assert codes(gateway(), crash(), sampling_context=SAMPLED, services=died) == []
    project, anew = crash()
    anew.headers["trace"] = {"trace_id": TRACE, "public_key": "front", "sample_rate": "0", "sample_rand": "0.5"}
    assert codes(gateway(), (project, anew), sampling_context=SAMPLED) == []


def test_headers_of_different_traces() -> None:
    def with_headers(trace: str, baggage: str) -> tuple[str, Envelope]:
        headers = {"Sentry-Trace": f"{trace}-{TRIGGER_SPAN}-1", "Baggage": f"x=1,sentry-trace_id={baggage}"}
        return crash(request={"headers": headers})

    assert codes(gateway(), payment(), with_headers(TRACE, TRACE)) == []
    assert codes(gateway(), payment(), with_headers(TRACE, OTHER_TRACE)) == ["trace-connected.headers-disagree"]


def test_an_orphan_is_found_once_for_the_whole_run() -> None:
    lost = arrival(0, envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE), "2")
    subject = RunSubject((lost,), CheckSettings(), services_by_project=PROJECTS, traces=frozenset({TRACE}))
    (finding,) = [found for found in judge_run(subject).findings if found.check == "trace-connected"]
    assert (finding.code, finding.service) == ("trace-connected.orphan", "payment")
    ours = RunSubject((lost,), CheckSettings(), services_by_project=PROJECTS, traces=frozenset({OTHER_TRACE}))
    assert [found for found in judge_run(ours).findings if found.check == "trace-connected"] == []
