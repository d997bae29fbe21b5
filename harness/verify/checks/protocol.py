"""Check: envelopes and items follow Sentry's ingest protocol."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from harness.collector.ingest import Refusal
from harness.telemetry.shape import text
from harness.verify.checks.registry import Subject, check, run_check
from harness.verify.finding import Finding
from harness.verify.protocol.clock import clock_findings
from harness.verify.protocol.items import item_findings
from harness.verify.protocol.sampling import sampling_findings
from harness.verify.run_subject import RunSubject
from harness.verify.sent import SentEnvelope, readable_items, sent_envelopes
from harness.wire.dsn import Dsn, InvalidDsn
from harness.wire.envelope import Envelope

# develop.sentry.dev, "Envelope Items": these require the header; Relay invents an id without it.
_WITH_EVENT_ID = ("event", "transaction", "feedback")
# Not the sender's fault: a rate limit, or a failure of the collector itself.
_TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = 500


@check("protocol", future_seconds=float, delay_seconds=float, order_seconds=float)
def protocol(subject: Subject) -> Iterator[Finding]:
    """Every envelope, item, sampling context and time is as Relay and develop.sentry.dev demand."""
    for sent in sent_envelopes(subject.capture):
        yield from _headers(sent)
        yield from item_findings(sent, subject.capture.trace_id)
    yield from sampling_findings(subject.capture)
    yield from clock_findings(subject.capture, subject.settings)


@run_check("protocol")
def protocol_of_run(subject: RunSubject) -> Iterator[Finding]:
    """Nothing was refused, and what belongs to no trace, such as sessions, follows the protocol as well."""
    yield from _refused(subject.refusals)
    yield from _not_kept(subject.refusals)
    for sent in subject.traceless:
        yield from _headers(sent)
        yield from item_findings(sent, None)


def _refused(refusals: Iterable[Refusal]) -> Iterator[Finding]:
    alike: dict[tuple[str | None, int, str], list[Refusal]] = defaultdict(list)
    for refusal in refusals:
        if refusal.status < _SERVER_ERRORS and refusal.status != _TOO_MANY_REQUESTS:
            alike[refusal.service, refusal.status, refusal.detail].append(refusal)
    for first, *others in alike.values():
        more = f" ({len(others)} more requests alike)" if others else ""
        yield Finding(
            code="protocol.refused",
            message=f"Sentry would answer {first.status}, so everything in it is lost: {first.detail}{more}",
            service=first.service,
            item=f"{first.method} {first.path}",
        )


def _not_kept(refusals: Iterable[Refusal]) -> Iterator[Finding]:
    alike: dict[tuple[str | None, int, str], int] = Counter(
        (refusal.service, refusal.status, refusal.detail)
        for refusal in refusals
        if refusal.status >= _SERVER_ERRORS and refusal.method == "POST"
    )
    for (service, status, detail), count in alike.items():
        yield Finding(
            code="protocol.not-kept",
            message=f"the collector itself could not take what was sent and answered {status}: {detail}. {count} "
            "requests are missing by that, so what did not arrive proves nothing",
            service=service,
        )


def _headers(sent: SentEnvelope) -> Iterator[Finding]:
    headers = sent.envelope.headers
    if headers.get("event_id") is not None and sent.envelope.event_id is None:
        yield _header(
            sent, "event_id", "event-id", f"{headers['event_id']!r:.80} is no UUID: Sentry refuses the envelope"
        )
    for item in readable_items(sent, *_WITH_EVENT_ID):
        if headers.get("event_id") is None:
            consequence = "Sentry gives it another id than the SDK told the application"
            yield _header(
                sent, "event_id", "event-id", f"an envelope with a {item.item.type} needs one: {consequence}"
            )
        inside = text(item.payload.get("event_id"))
        if sent.envelope.event_id and inside and Envelope({"event_id": inside}).event_id != sent.envelope.event_id:
            yield _header(
                sent,
                "event_id",
                "event-id",
                f"it is {sent.envelope.event_id}, the {item.item.type} says {inside}: Sentry "
                "takes the header's, so attachments and feedback that name the other are lost",
            )
    if headers.get("dsn") is not None:
        try:
            Dsn.parse(str(headers["dsn"]))
        except InvalidDsn as invalid:
            yield _header(sent, "dsn", "dsn", f"Sentry refuses the envelope: {invalid}")


def _header(sent: SentEnvelope, name: str, detail: str, message: str) -> Finding:
    return Finding(
        code=f"protocol.{detail}",
        message=message,
        service=sent.origin.service,
        item=f"header `{name}` of {sent}",
    )
