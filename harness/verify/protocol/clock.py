"""Time: spans that end after they began, events not before their span, clocks that agree with the collector's.

Source: https://develop.sentry.dev/sdk/foundations/transport/envelopes/ (``sent_at``) and Relay's
``relay-event-normalization/src/clock_drift.rs`` and ``validation.rs``: Sentry corrects clocks only when they are off
by 55 minutes and more, drops transactions that end before they begin, and moves events out of the future.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from harness.telemetry.events import ErrorEvent
from harness.telemetry.signals import Log
from harness.telemetry.spans import Span
from harness.verify.capture import Capture
from harness.verify.diagnosis import describe
from harness.verify.finding import Finding
from harness.verify.sent import sent_envelopes
from harness.verify.settings import CheckSettings

FUTURE_SECONDS = 5.0
DELAY_SECONDS = 60.0
ORDER_SECONDS = 1.0


def clock_findings(capture: Capture, settings: CheckSettings) -> Iterator[Finding]:
    """What is wrong with the times of a scenario's telemetry.

    Args:
        capture: what was captured.
        settings: has in ``[checks.protocol]`` how much is tolerated, in seconds: ``future_seconds`` that a time may
            lie after its arrival, ``delay_seconds`` that an envelope may be on its way, ``order_seconds`` that a span
            or event may precede what it is part of.
    """
    future = settings.option("protocol", "future_seconds", FUTURE_SECONDS)
    delay = settings.option("protocol", "delay_seconds", DELAY_SECONDS)
    order = settings.option("protocol", "order_seconds", ORDER_SECONDS)
    skewed: dict[str | None, Finding] = {}
    for finding in _sent_at(capture, future, delay):
        if finding.code == "protocol.clock-skew":
            skewed.setdefault(finding.service, finding)
        else:
            yield finding
    yield from skewed.values()
    yield from _durations(capture.spans)
    # A wrong clock is said once; all that follows from it is not repeated for each item.
    yield from _future(capture, future, frozenset(skewed))
    yield from _order(capture, order, frozenset(skewed))


def _sent_at(capture: Capture, future: float, delay: float) -> Iterator[Finding]:
    for sent in sent_envelopes(capture):
        stated = sent.envelope.headers.get("sent_at")
        if stated is None:
            continue
        item = f"header `sent_at` of {sent}"
        moment = _moment(stated)
        if moment is None:
            yield Finding(
                code="protocol.sent-at",
                message=f"{stated!r:.80} is not a time of RFC 3339 with its zone, such as 2026-01-31T12:00:00Z: "
                "Sentry refuses the envelope",
                service=sent.origin.service,
                item=item,
            )
        elif not -future <= (ago := sent.origin.received_at - moment) <= delay:
            way = f"{-ago:.0f} s after it arrived" if ago < 0 else f"{ago:.0f} s before it arrived"
            yield Finding(
                code="protocol.clock-skew",
                message=f"it says it was sent {way}: the clock of the service is wrong, so its telemetry stands at "
                "the wrong time; synchronise the clock, and let nothing patch the time that the SDK reads",
                service=sent.origin.service,
                item=item,
            )


def _moment(stated: object) -> float | None:
    if not isinstance(stated, str):
        return None
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def _durations(spans: Sequence[Span]) -> Iterator[Finding]:
    for span in spans:
        if span.start is not None and span.end is not None and span.end < span.start:
            whole = "the whole transaction" if span.form == "transaction" else "it"
            yield Finding(
                code="protocol.negative-duration",
                message=f"it ends {span.start - span.end:.3f} s before it begins: Sentry drops {whole}; "
                "take both times from the same clock",
                service=span.service,
                item=describe(span),
                path="$.end_timestamp" if span.form == "streamed" else "$.timestamp",
            )


def _future(capture: Capture, tolerance: float, skewed: frozenset[str | None]) -> Iterator[Finding]:
    timed: list[tuple[ErrorEvent | Span | Log, float | None]] = [
        *((event, event.timestamp) for event in (*capture.errors, *capture.messages)),
        *((span, span.end) for span in capture.spans),
        *((log, log.timestamp) for log in capture.logs),
    ]
    for item, at in timed:
        if at is not None and (ahead := at - item.origin.received_at) > tolerance and item.service not in skewed:
            yield Finding(
                code="protocol.future-timestamp",
                message=f"its time is {ahead:.0f} s after its arrival: Sentry moves it to the present; is it local "
                "time without a zone, or are milliseconds taken for seconds?",
                service=item.service,
                item=describe(item),
                path="$.timestamp" if not isinstance(item, Span) or item.form == "transaction" else "$.end_timestamp",
            )


def _order(capture: Capture, tolerance: float, skewed: frozenset[str | None]) -> Iterator[Finding]:
    trace = capture.trace
    for span in trace.spans:
        parent = trace.parent(span)
        if parent is None or not skewed.isdisjoint({span.service, parent.service}):
            continue
        if (early := _before(span.start, parent.start)) > tolerance:
            yield Finding(
                code="protocol.child-before-parent",
                message=f"it begins {early:.1f} s before its parent {parent.name!r} of {parent.service}: the "
                "clocks of the two differ, or it hangs on a span that it is no part of",
                service=span.service,
                item=describe(span),
                path="$.start_timestamp",
            )
    for event in trace.events:
        # Only the beginning binds: work that a request leaves behind may well fail after the request's span ended.
        during = trace.span_of(event)
        if during is None or event.service in skewed:
            continue
        if (early := _before(event.timestamp, during.start)) > tolerance:
            yield Finding(
                code="protocol.event-before-span",
                message=f"its time is {early:.1f} s before its span {during.name!r} began: it was captured "
                "under a later span, or has a time of its own making",
                service=event.service,
                item=describe(event),
                path="$.timestamp",
            )


def _before(earlier: float | None, later: float | None) -> float:
    return 0.0 if earlier is None or later is None else later - earlier
