"""Check: the trace is whole, from the trigger through every service to every error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from harness.telemetry.events import ErrorEvent
from harness.telemetry.shape import mapping, text
from harness.telemetry.spans import Span
from harness.telemetry.trace import Trace
from harness.verify.checks.registry import Subject, check, run_check
from harness.verify.diagnosis import describe
from harness.verify.evidence import Evidence, ServiceFacts
from harness.verify.finding import Finding
from harness.verify.run_subject import RunSubject
from harness.wire.trace import Baggage, InvalidSentryTrace, SentryTrace


@check("trace-connected")
def trace_connected(subject: Subject) -> Iterator[Finding]:
    """Every error and span of a scenario hangs on the trigger, link by link, through every service on the way."""
    if subject.capture.trace_id is None:
        return
    trace = subject.capture.trace
    evidence = subject.capture.evidence
    if evidence.lacks_on_purpose("error", "transaction", "span"):
        return
    yield from _broken_links(evidence, trace)
    yield from _skipped(evidence, trace)
    yield from _unreached(evidence, trace)
    yield from _without_spans(evidence, trace)
    yield from _disagreeing_headers(trace)


@run_check("trace-connected")
def no_orphans(subject: RunSubject) -> Iterator[Finding]:
    """No service reports an error outside of every scenario's trace."""
    for event in subject.outside.events:
        yield Finding(
            code="trace-connected.orphan",
            message="it was reported outside of every scenario's trace: the trace was not continued, or not "
            "carried over to the thread, task or callback that failed",
            service=event.service,
            item=describe(event),
            path="$.contexts.trace.trace_id",
        )


def _broken_links(evidence: Evidence, trace: Trace) -> Iterator[Finding]:
    for span in trace.unlinked:
        yield Finding(
            code="trace-connected.missing-parent",
            message=f"its parent span {span.parent_span_id} was sent by nobody: a service in between is cut out of "
            "the trace or sampled differently, or the headers were rewritten on the way",
            service=span.service,
            item=describe(span),
            path="$.contexts.trace.parent_span_id" if span.form == "transaction" else "$.parent_span_id",
        )
    for span in trace.segments:
        may_be_root = span.service == evidence.entry if evidence.page else trace.root_span_id is None
        if span.parent_span_id is None and not may_be_root:
            yield Finding(
                code="trace-connected.second-root",
                message="it has no parent: the service took over the trace id of the request, not the calling span",
                service=span.service,
                item=describe(span),
            )
    spans = {span.span_id for span in trace.spans}
    tracing = _tracing(trace)
    for event in trace.events:
        if evidence.page and event.service == evidence.entry:
            # Most of what happens in a page happens between its spans, and the SDK then names a span that is none.
            continue
        # A service that sends no spans at all is another matter.
        if event.span_id not in spans and event.service in tracing:
            yield Finding(
                code="trace-connected.missing-span",
                message=f"the span {event.span_id} in which it was captured was sent by nobody",
                service=event.service,
                item=describe(event),
                path="$.contexts.trace.span_id",
            )


def _skipped(evidence: Evidence, trace: Trace) -> Iterator[Finding]:
    # Who called the page's services is the page, or no span of it; nobody stands between the two.
    if evidence.page or evidence.entry not in trace.services:
        return
    for span in trace.segments:
        if span.parent_span_id == trace.root_span_id and span.service != evidence.entry:
            yield Finding(
                code="trace-connected.skipped-hop",
                message=f"it hangs on the span of whoever called {evidence.entry}, which is left out between the "
                f"two: {evidence.entry} hands on the trace headers that it got, instead of those of its own span",
                service=span.service,
                item=describe(span),
                path="$.contexts.trace.parent_span_id" if span.form == "transaction" else "$.parent_span_id",
            )


def _unreached(evidence: Evidence, trace: Trace) -> Iterator[Finding]:
    if evidence.response is not None and evidence.target not in trace.services:
        yield Finding(
            code="trace-connected.not-reached",
            message="it answered, but sent neither span nor event in this trace: its SDK is not initialised or does "
            "not trace, or sentry-trace and baggage did not reach it",
            service=evidence.target,
        )
    silent = {evidence.target} - set(trace.services)
    for service, call in _calls_in_vain(evidence, trace):
        if service not in silent:
            silent.add(service)
            yield Finding(
                code="trace-connected.not-reached",
                message=f"{call.service} called it and got an answer, but nothing that it sent hangs on that call: "
                "sentry-trace and baggage are not sent along, or it does not continue them",
                service=service,
                item=describe(call),
            )


def _calls_in_vain(evidence: Evidence, trace: Trace) -> Iterator[tuple[str, Span]]:
    """Calls of services that are traced, with the called service, which have no other end."""
    traced = [facts for facts in evidence.services.values() if _traces(facts)]
    services = {address: facts for facts in traced for address in facts.addresses}
    continued = {span.parent_span_id for span in trace.spans} | {event.parent_span_id for event in trace.events}
    explained = {span.service for span in trace.segments if _is_misplaced(span, evidence, trace)}
    explained |= {event.service for event in trace.events} - _tracing(trace)
    for span in trace.spans:
        is_call = (span.op or "").startswith("http.client")
        called = services.get(urlsplit(span.url or "").netloc) if is_call else None
        # Without an answer, nobody knows whether the call arrived.
        if called and span.http_status and span.span_id not in continued and called.name not in explained:
            yield called.name, span


def _traces(facts: ServiceFacts) -> bool:
    return facts.url is not None and facts.state not in ("no-sdk", "no-agent")


def _tracing(trace: Trace) -> set[str | None]:
    """Services that sent spans."""
    return {span.service for span in trace.spans}


def _is_misplaced(segment: Span, evidence: Evidence, trace: Trace) -> bool:
    """Whether it is found to hang elsewhere than on the call that it belongs to."""
    if segment.parent_span_id in (None, trace.root_span_id):
        return segment.service != evidence.entry
    return trace.parent(segment) is None


def _without_spans(evidence: Evidence, trace: Trace) -> Iterator[Finding]:
    if evidence.sampling_context is None or evidence.sampling_context.sampled != "true":
        return
    told = _tracing(trace)
    for event in trace.events:
        facts = evidence.services.get(event.service or "")
        # What a process had not ended when it died, it cannot send.
        has_died = facts is not None and facts.exit_code is not None
        if event.service in told or has_died or _was_decided_anew(event):
            continue
        told.add(event.service)
        yield Finding(
            code="trace-connected.no-spans",
            message="it reports errors in this trace but sends no spans, although the trace is sampled: tracing is "
            "off in this service, or before_send_transaction, ignore_spans or the like drop all of them",
            service=event.service,
            item=describe(event),
        )


def _was_decided_anew(event: ErrorEvent) -> bool:
    """Whether the sampling context says itself that the service decided against the trace; `protocol` reports it."""
    context = mapping(event.origin.envelope_headers.get("trace"))
    try:
        return float(context["sample_rand"]) >= float(context["sample_rate"])
    except (KeyError, TypeError, ValueError):
        return False


def _disagreeing_headers(trace: Trace) -> Iterator[Finding]:
    for event in trace.events:
        headers = {name.lower(): value for name, value in mapping(event.request.get("headers")).items()}
        announced = _trace_of_baggage(headers)
        if announced is not None and announced != _trace_of_header(headers):
            yield Finding(
                code="trace-connected.headers-disagree",
                message=f"its request came with baggage of trace {announced} but sentry-trace of another: whoever "
                "sent it copies one of the two headers from its own request",
                service=event.service,
                item=describe(event),
                path="$.request.headers.baggage",
            )


def _trace_of_baggage(headers: Mapping[str, object]) -> str | None:
    baggage = text(headers.get("baggage"))
    return Baggage.parse(baggage).sentry.get("trace_id") if baggage else None


def _trace_of_header(headers: Mapping[str, object]) -> str | None:
    try:
        return SentryTrace.parse(text(headers.get("sentry-trace")) or "").trace_id
    except InvalidSentryTrace:
        return None
