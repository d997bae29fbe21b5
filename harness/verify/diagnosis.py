"""Why something is missing, in words: a miss must name its cause, not a time-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.telemetry.events import ErrorEvent
from harness.telemetry.reading import Telemetry, View
from harness.telemetry.records import Discard
from harness.telemetry.shape import one_line
from harness.telemetry.signals import Log, Metric
from harness.telemetry.spans import Span
from harness.telemetry.trace import Trace
from harness.verify.discards import had_been_sent, why
from harness.verify.evidence import Evidence, ServiceFacts

_SDK_STATES = {
    "no-sdk": "runs without a Sentry SDK: its process never imported one.",
    "not-initialised": "has a Sentry SDK that is not initialised: does its init() run at start?",
    "timed-out": "did not finish flushing its SDK in time: its process is blocked or the SDK hangs.",
    "failed": "has a Sentry SDK that raised when it was asked to flush.",
    "no-agent": "runs without the flush agent, so a late envelope may still be on its way.",
}

# Categories of client reports by what a scenario looks for (develop.sentry.dev, "Client Reports").
_CATEGORIES = {
    "errors": ("error",),
    "messages": ("error",),
    "spans": ("span", "transaction"),
    "logs": ("log_item", "log_byte"),
    "metrics": ("trace_metric", "metric"),
    "profiles": ("profile", "profile_chunk"),
    "replays": ("replay",),
}


def explain(
    evidence: Evidence,
    kind: str,
    criteria: Mapping[str, Any],
    found: Sequence[Any],
    everything: Sequence[Any],
    inside: Telemetry,
    outside: Telemetry,
    trace: Trace,
) -> str:
    """The full diagnosis of a query that did not find what it should.

    Args:
        evidence: record of the scenario.
        kind: plural name of what was looked for; with the prefix ``no`` when none was wanted.
        criteria: what it should have been like.
        found: what matched: none, or too many.
        everything: all captured items of that kind.
        inside: telemetry of the scenario's trace.
        outside: telemetry that the services sent meanwhile outside of it.
        trace: the trace tree.
    """
    wanted = _wanted(kind, criteria)
    lines: list[str] = []
    if found:
        expectation = f"expected {wanted}" if kind.startswith("no ") else f"expected exactly one of {wanted}"
        lines += [f"{evidence.title}: {expectation}, but {len(found)} arrived:"]
        lines += [f"  - {describe(item)}" for item in found]
    else:
        lines += [f"{evidence.title}: {wanted} expected, but none arrived."]
        lines += [
            f"Likely cause: {cause}"
            for cause in likely_causes(evidence, kind, criteria, everything, inside, outside, trace)
        ]
    lines += ["", *_situation(evidence, criteria, inside, outside, trace)]
    return "\n".join(lines)


def likely_causes(
    evidence: Evidence,
    kind: str,
    criteria: Mapping[str, Any],
    everything: Sequence[Any],
    inside: Telemetry,
    outside: Telemetry,
    trace: Trace,
) -> list[str]:
    """Causes that the evidence speaks for, the strongest first; always at least one."""
    service = str(criteria.get("service") or evidence.target)
    facts = evidence.services.get(service, ServiceFacts(service))
    on_purpose = list(_of_faults(service, evidence))
    causes = [
        *on_purpose,
        *_of_response(evidence),
        *_of_near_misses(everything, criteria),
        *_of_other_kind(kind, inside),
        *_of_sdk_state(facts),
        *_of_lost_trace(service, outside, evidence, trace),
        *_of_discards(facts, kind, outside),
        *(f"the collector refused what {service} sent: {refusal}" for refusal in facts.refusals[:3]),
    ]
    if not on_purpose and not facts.ever_contacted and facts.state not in ("no-sdk", "not-initialised"):
        causes.append(f"{service} never contacted its DSN: is SENTRY_DSN used, or does a proxy divert it?")
    if facts.fate is not None:
        causes.append(f"{service} could not send all it had: {facts.fate}.")
    elif facts.exit_code is not None:
        causes.append(
            f"the process of {service} ended with exit code {facts.exit_code}, maybe before its SDK had sent."
        )
    if not causes and kind == "errors" and evidence.response is not None and evidence.response.status < 500:
        causes.append(f"the endpoint answered {evidence.response.status}: did anything fail at all?")
    if not causes:
        causes.append(
            f"{service}'s SDK works and was flushed, so the application never captured it: "
            "is it caught and swallowed, or is the integration of the framework off?"
        )
    return causes


def describe(item: object) -> str:
    """One line about a captured item."""
    match item:
        case ErrorEvent():
            handled = {True: "handled", False: "unhandled", None: "handled unknown"}[item.handled]
            how = "message" if item.is_message else f"{item.mechanism.type}, {handled}"
            return f"{item.service}: {one_line(item.title)} [{item.level}, {how}] in trace {item.trace_id}"
        case Span():
            link = f"span {item.span_id}, parent {item.parent_span_id}"
            return f"{item.service}: {item.op or '-'} {one_line(item.name)!r} ({link})"
        case Log():
            return f"{item.service}: log [{item.level}] {one_line(item.body)!r} in trace {item.trace_id}"
        case Metric():
            return f"{item.service}: {item.type} {item.name} = {item.value:g} in trace {item.trace_id}"
        case _:
            return f"{getattr(item, 'service', None)}: {item!r}"


def _wanted(kind: str, criteria: Mapping[str, Any]) -> str:
    listed = ", ".join(f"{name}={value!r}" for name, value in criteria.items())
    return f"{kind} ({listed})" if listed else kind


def _of_response(evidence: Evidence) -> Iterator[str]:
    if evidence.trace_id is None:
        return
    if evidence.response is None:
        yield f"the request itself failed: {evidence.problem or 'it was never sent'}"
    elif evidence.response.status == 404:
        yield "the endpoint does not exist: 404."


def _of_faults(service: str, evidence: Evidence) -> Iterator[str]:
    costly = [str(fault) for fault in evidence.faults if fault.service == service and fault.costs_telemetry]
    if costly:
        more = f" (and {len(costly) - 3} more)" if costly[3:] else ""
        yield f"it was made to fail on purpose: {'; '.join(costly[:3])}{more}."


def _of_near_misses(everything: Sequence[Any], criteria: Mapping[str, Any]) -> Iterator[str]:
    for item in everything[:3]:
        differing = {
            name: actual for name, wanted in criteria.items() if (actual := getattr(item, name, None)) != wanted
        }
        if differing:
            said = " and ".join(
                f"its {name} is {actual!r}, not {criteria[name]!r}" for name, actual in differing.items()
            )
            yield f"one arrived that differs: {said}."


def _of_other_kind(kind: str, inside: Telemetry) -> Iterator[str]:
    messages = [event for event in inside.events if event.is_message]
    errors = [event for event in inside.events if not event.is_message]
    if kind == "errors" and messages and not errors:
        yield f"a message arrived, not an error: {one_line(messages[0].title)!r}; see `capture.message()`."
    if kind == "messages" and errors and not messages:
        yield f"an error arrived, not a message: {one_line(errors[0].title)!r}; see `capture.error()`."


def _of_sdk_state(facts: ServiceFacts) -> Iterator[str]:
    if facts.state in _SDK_STATES:
        yield f"{facts.name} {_SDK_STATES[facts.state]}"
    if facts.foreign_dsn is not None:
        yield f"{facts.name}'s SDK sends to {facts.foreign_dsn!r}, not to the DSN it was given as SENTRY_DSN."


def _of_lost_trace(service: str, outside: Telemetry, evidence: Evidence, trace: Trace) -> Iterator[str]:
    sent: list[ErrorEvent | Span] = [event for event in outside.events if event.service == service]
    sent += [span for span in outside.spans if span.service == service and span.is_segment]
    # Services are shared: what speaks of this endpoint is the likeliest to be what is missed here.
    path = evidence.title.rpartition(" ")[2].partition("?")[0]
    strays = [item for item in sent if speaks_of(item, path)] or [
        item for item in sent if isinstance(item, ErrorEvent)
    ]
    if not strays or evidence.trace_id is None:
        return
    example = strays[0].title if isinstance(strays[0], ErrorEvent) else strays[0].name
    reached = trace.services
    if service in reached:
        yield f"{service} reported {example!r} outside this trace, in trace {strays[0].trace_id}."
        return
    last_hop = f" The trace's last hop is {reached[-1]}." if reached else ""
    yield (
        f"the trace was lost on the way to {service}: it reported {example!r} in trace {strays[0].trace_id}, not in "
        f"{evidence.trace_id}. The sentry-trace and baggage headers did not reach it, or it does not continue them."
        f"{last_hop}"
    )


def speaks_of(item: ErrorEvent | Span, path: str) -> bool:
    """Whether an item names a request path in its URL or in its name."""
    if isinstance(item, ErrorEvent):
        return path in str(item.request.get("url", "")) or path in (item.transaction or "")
    return path in (item.url or "") or path in item.name


def _of_discards(facts: ServiceFacts, kind: str, outside: Telemetry) -> Iterator[str]:
    categories = _CATEGORIES.get(kind, ())
    for (reason, category), quantity in _discards(facts, outside).items():
        if category in categories:
            because = why(Discard(reason, category, quantity))
            yield f"{facts.name}'s SDK discarded {quantity} x {category} itself, reason {reason!r}: {because}."


def _discards(facts: ServiceFacts, outside: Telemetry) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for report in outside.client_reports:
        if report.service == facts.name:
            for discard in report.discarded:
                if not had_been_sent(discard, facts.sdk):
                    counted[discard.reason, discard.category] += discard.quantity
    return counted


def _situation(
    evidence: Evidence, criteria: Mapping[str, Any], inside: Telemetry, outside: Telemetry, trace: Trace
) -> Iterator[str]:
    if evidence.response is not None:
        body = evidence.response.text[:300].replace("\n", " ")
        yield f"Response: {evidence.response.status} in {evidence.response.elapsed_ms:.0f} ms: {body}"
    if evidence.trace_id is not None:
        yield f"Trace {evidence.trace_id} as it arrived:"
        yield _indented(trace.render())
    yield "Arrived by service:"
    yield from _table(inside, evidence)
    strays = [*outside.events] if evidence.trace_id is not None else []
    if strays:
        yield "Sent meanwhile outside this trace (services are shared with scenarios that run at the same time):"
        yield from (f"  {describe(event)}" for event in strays[:10])
    service = str(criteria.get("service") or evidence.target)
    facts = evidence.services.get(service)
    if facts is not None:
        ended = "" if facts.exit_code is None else f", exit code {facts.exit_code}"
        ended += f"; {facts.fate}" if facts.fate else ""
        yield f"{service}: SDK {facts.sdk or 'unknown'}, flush {facts.state}{ended}"
        if facts.log_tail:
            yield f"Last lines of {service}'s log:"
            yield _indented(facts.log_tail)


def _table(inside: Telemetry, evidence: Evidence) -> Iterator[str]:
    kinds: dict[str, Sequence[View]] = {
        "errors and messages": inside.events,
        "spans": inside.spans,
        "logs": inside.logs,
        "metrics": inside.metrics,
        "profiles": inside.profiles,
        "unread items": inside.unread,
    }
    for name in list(evidence.services) or [evidence.target]:
        counts = [
            f"{number} {kind}"
            for kind, items in kinds.items()
            if (number := sum(item.service == name for item in items))
        ]
        yield f"  {name}: {', '.join(counts) or 'nothing'}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
