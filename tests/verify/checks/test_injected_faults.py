"""No check holds against a service what was done to it on purpose, and everything else all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.collector import faults
from harness.collector.faults import Fault
from harness.collector.injecting import Injection
from harness.collector.messages import Request
from harness.verify.capture import Capture
from harness.verify.checks.registry import judge, judge_run
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from tests.samples import TRACE, TRIGGER_SPAN, arrival, envelope, error, json_item, transaction

PYTHON = "sentry_version=7&sentry_key=k&sentry_client=sentry.python%2F2.75.0"
EVENT = "e" * 32


def injection(fault: Fault, project: str = "2", **more: object) -> Injection:
    request = Request(1000.0, "POST", f"/api/{project}/envelope/", "", (), b"")
    held = Injection(1000.0, fault, "payment", project, request, items=("event",), kept=fault.keeps)
    return replace(held, **more)  # type: ignore[arg-type]


def codes(*injections: Injection, without_spans: bool = False) -> set[str]:
    """What is found in a request that failed without any error being reported."""
    sent = envelope(transaction("crash", span_id="c" * 16, parent=TRIGGER_SPAN, status="internal_error"))
    evidence = Evidence(
        title="payment GET /debug/crash",
        target="payment",
        trace_id=TRACE,
        span_id=TRIGGER_SPAN,
        entry="payment",
        response=Response(500, {}, b"", 1.0, "http://127.0.0.1:9/debug/crash"),
        arrivals=() if without_spans else (arrival(0, sent, "2"),),
        services={"payment": ServiceFacts("payment", state="flushed", url="http://127.0.0.1:9")},
        services_by_project={"2": "payment"},
        faults=injections,
    )
    only = {"trace-connected", "response-consistent", "reported-once"}
    return {found.code for found in judge(Capture(evidence), CheckSettings()).findings if found.check in only}


@pytest.mark.parametrize(
    ("fault", "is_excused"),
    [
        (faults.answer(503), True),
        (faults.hang(), True),
        (faults.dns_failure(), True),
        (faults.rate_limited("60:error:key", status=200), True),
        (faults.rate_limited("60::key", status=200), True),
        (faults.rate_limited("soon:::,;", status=200), True),
        (faults.slow_body(1.0), False),
        (faults.truncated(), False),
    ],
    ids=str,
)
def test_a_gap_is_excused_by_a_fault_that_can_make_one(fault: Fault, is_excused: bool) -> None:
    assert codes() == {"response-consistent.unreported"}
    assert codes(injection(fault)) == (set() if is_excused else {"response-consistent.unreported"})
    assert codes(without_spans=True) == {"trace-connected.not-reached"}
    assert codes(injection(fault), without_spans=True) == (set() if is_excused else {"trace-connected.not-reached"})


def test_what_befell_another_category_excuses_nothing() -> None:
    transactions = injection(faults.rate_limited("60:transaction:key, 60:span;log_item:key", status=200))
    assert codes(transactions) == {"response-consistent.unreported"}
    assert codes(transactions, without_spans=True) == set()
    session = injection(faults.answer(503), items=("session",), quantities={"session": 1})
    assert codes(session) == {"response-consistent.unreported"}
    assert codes(session, without_spans=True) == {"trace-connected.not-reached"}
    # All that comes later waits for it.
    assert codes(replace(session, fault=faults.hang())) == set()


def test_an_event_that_an_sdk_could_not_know_to_have_arrived_may_come_twice() -> None:
    held = envelope(error(), event_id=EVENT)
    evidence = Evidence(
        title="payment GET /debug/crash",
        target="payment",
        trace_id=TRACE,
        arrivals=(arrival(0, held, "2"), arrival(1, held, "2")),
        services_by_project={"2": "payment"},
    )

    def found(of: Evidence) -> set[str]:
        return {held.code for held in judge(Capture(of), CheckSettings()).findings}

    twice = "reported-once.same-event"
    assert twice in found(evidence)
    first = next(event.event_id for event in Capture(evidence).errors)
    assert twice not in found(replace(evidence, faults=(injection(faults.truncated(), event_id=first),)))
    assert twice in found(replace(evidence, faults=(injection(faults.truncated(), event_id="f" * 32),)))


def dropped(reason: str, *injections: Injection) -> set[str]:
    report = {"timestamp": 1000.0, "discarded_events": [{"reason": reason, "category": "error", "quantity": 1}]}
    held = arrival(0, envelope(json_item("client_report", report), trace_id=None), "2")
    subject = RunSubject(
        (replace(held, query=PYTHON),),
        CheckSettings(),
        services_by_project={"2": "payment"},
        faults=injections,
    )
    return {found.code for found in judge_run(subject).findings if found.check == "nothing-dropped"}


@pytest.mark.parametrize("reason", ["network_error", "ratelimit_backoff", "send_error", "queue_overflow"])
def test_what_an_sdk_drops_because_of_a_fault_is_expected(reason: str) -> None:
    code = f"nothing-dropped.{reason.replace('_', '-')}"
    assert dropped(reason) == {code}
    assert dropped(reason, injection(faults.answer(503))) == set()
    assert dropped(reason, injection(faults.answer(503), project="3")) == {code}


def test_what_no_fault_causes_is_found_as_ever() -> None:
    assert dropped("before_send", injection(faults.answer(503))) == {"nothing-dropped.before-send"}


def test_a_diagnosis_names_the_fault_first() -> None:
    held = injection(faults.answer(503), service="payment")
    evidence = Evidence(title="payment GET /debug/crash", target="payment", trace_id=TRACE, faults=(held,))
    with pytest.raises(AssertionError) as missing:
        Capture(evidence).error()
    (first, *_) = [line for line in str(missing.value).splitlines() if line.startswith("Likely cause")]
    assert first == "Likely cause: it was made to fail on purpose: payment: answered 503: 1 event, lost."
