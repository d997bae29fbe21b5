"""Spans: a transaction, its child spans and streamed spans are one model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from harness.telemetry.origin import Origin
from harness.telemetry.shape import attributes, mapping, pairs, seconds, sequence, text

_URL = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class Span:
    """One span, however it was sent.

    A transaction is the segment span of its service; the spans inside it are its descendants. A streamed span
    (``application/vnd.sentry.items.span.v2+json``) says itself whether it is a segment. A scenario written against
    this model does not change when an SDK moves from one form to the other.

    Args:
        name: what the span did: a transaction's name, a span's description or a streamed span's name.
        op: Sentry's operation such as ``http.server`` or ``db``.
        start: start and end in seconds since the epoch; None when not sent.
        attributes: span data or streamed attributes as plain values.
        is_segment: whether it is the outermost span in its service.
        contexts: contexts, tags, user and measurements exist only on a transaction; streamed spans have none.
    """

    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    name: str
    op: str | None
    status: str | None
    start: float | None
    end: float | None
    attributes: dict[str, Any] = field(repr=False)
    is_segment: bool
    origin: Origin = field(repr=False, compare=False)
    form: str
    contexts: dict[str, Any] = field(default_factory=dict, repr=False)
    tags: dict[str, Any] = field(default_factory=dict, repr=False)
    user: dict[str, Any] = field(default_factory=dict, repr=False)
    measurements: dict[str, Any] = field(default_factory=dict, repr=False)
    event_id: str | None = None
    release: str | None = None
    environment: str | None = None

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service

    @property
    def duration_ms(self) -> float | None:
        """Duration in milliseconds."""
        return None if self.start is None or self.end is None else (self.end - self.start) * 1000

    @property
    def http_status(self) -> int | None:
        """HTTP status of the response, under any of the names that SDK generations use for it."""
        response = mapping(self.contexts.get("response")).get("status_code")
        for found in (
            self.attributes.get("http.response.status_code"),
            self.attributes.get("http.status_code"),
            response,
            self.tags.get("http.status_code"),
        ):
            if isinstance(found, int) or (isinstance(found, str) and found.isdigit()):
                return int(found)
        return None

    @property
    def url(self) -> str | None:
        """URL that an HTTP client span called, from its attributes or else its name."""
        for key in ("url.full", "http.url", "url"):
            if isinstance(found := self.attributes.get(key), str):
                return found
        match = _URL.search(self.name)
        return match.group() if match else None

    @property
    def is_sdk_transport(self) -> bool:
        """Whether this is the SDK's own envelope request.

        The Python SDK instruments its own transport when the DSN names a port, so such a span says nothing about the
        application. Only a client call to the sender's own project endpoint counts: everything else is real.
        """
        if not (self.op or "").startswith("http.client") and self.op != "http":
            return False
        path = urlsplit(self.url or "").path.rstrip("/")
        return bool(self.origin.project_id) and path.endswith(f"/api/{self.origin.project_id}/envelope")


def spans_of_transaction(payload: dict[str, Any], origin: Origin) -> Iterator[Span]:
    """The segment span that a transaction stands for, then its child spans."""
    contexts = mapping(payload.get("contexts"))
    trace = mapping(contexts.get("trace"))
    trace_id = text(trace.get("trace_id")) or origin.trace_id
    release, environment = text(payload.get("release")), text(payload.get("environment"))
    yield Span(
        trace_id=trace_id,
        span_id=text(trace.get("span_id")),
        parent_span_id=text(trace.get("parent_span_id")),
        name=text(payload.get("transaction")) or "",
        op=text(trace.get("op")),
        status=text(trace.get("status")),
        start=seconds(payload.get("start_timestamp")),
        end=seconds(payload.get("timestamp")),
        attributes=mapping(trace.get("data")),
        is_segment=True,
        origin=origin,
        form="transaction",
        contexts=contexts,
        tags=pairs(payload.get("tags")),
        user=mapping(payload.get("user")),
        measurements=mapping(payload.get("measurements")),
        event_id=text(payload.get("event_id")) or text(origin.envelope_headers.get("event_id")),
        release=release,
        environment=environment,
    )
    for raw in sequence(payload.get("spans")):
        span = mapping(raw)
        yield Span(
            trace_id=text(span.get("trace_id")) or trace_id,
            span_id=text(span.get("span_id")),
            parent_span_id=text(span.get("parent_span_id")),
            name=text(span.get("description")) or "",
            op=text(span.get("op")),
            status=text(span.get("status")),
            start=seconds(span.get("start_timestamp")),
            end=seconds(span.get("timestamp")),
            attributes=mapping(span.get("data")),
            is_segment=False,
            origin=origin,
            form="transaction",
            tags=pairs(span.get("tags")),
            release=release,
            environment=environment,
        )


def span_of_stream(raw: dict[str, Any], origin: Origin) -> Span:
    """One streamed span."""
    held = attributes(raw.get("attributes"))
    return Span(
        trace_id=text(raw.get("trace_id")) or origin.trace_id,
        span_id=text(raw.get("span_id")),
        parent_span_id=text(raw.get("parent_span_id")),
        name=text(raw.get("name")) or "",
        op=text(held.get("sentry.op")),
        status=text(raw.get("status")),
        start=seconds(raw.get("start_timestamp")),
        end=seconds(raw.get("end_timestamp")),
        attributes=held,
        is_segment=raw.get("is_segment") is True,
        origin=origin,
        form="streamed",
        release=text(held.get("sentry.release")),
        environment=text(held.get("sentry.environment")),
    )
