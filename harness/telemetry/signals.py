"""Logs and metrics: batched signals that carry their trace each on its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.telemetry.origin import Origin
from harness.telemetry.shape import attributes, number, seconds, text


@dataclass(frozen=True, slots=True)
class Log:
    """One structured log entry (``application/vnd.sentry.items.log+json``)."""

    body: str
    level: str | None
    attributes: dict[str, Any] = field(repr=False)
    trace_id: str | None
    span_id: str | None
    timestamp: float | None
    origin: Origin = field(repr=False, compare=False)

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service


@dataclass(frozen=True, slots=True)
class Metric:
    """One data point of a metric (``application/vnd.sentry.items.trace-metric+json``)."""

    name: str
    type: str | None
    value: float | None
    unit: str | None
    attributes: dict[str, Any] = field(repr=False)
    trace_id: str | None
    span_id: str | None
    timestamp: float | None
    origin: Origin = field(repr=False, compare=False)

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service


def read_log(raw: dict[str, Any], origin: Origin) -> Log:
    """One entry of a log container.

    Python SDKs send the span as ``span_id``, JavaScript SDKs as the attribute ``sentry.trace.parent_span_id``.
    """
    held = attributes(raw.get("attributes"))
    return Log(
        body=text(raw.get("body")) or "",
        level=text(raw.get("level")),
        attributes=held,
        trace_id=text(raw.get("trace_id")),
        span_id=text(raw.get("span_id")) or text(held.get("sentry.trace.parent_span_id")),
        timestamp=seconds(raw.get("timestamp")),
        origin=origin,
    )


def read_metric(raw: dict[str, Any], origin: Origin) -> Metric:
    """One entry of a metric container."""
    return Metric(
        name=text(raw.get("name")) or "",
        type=text(raw.get("type")),
        value=number(raw.get("value")),
        unit=text(raw.get("unit")),
        attributes=attributes(raw.get("attributes")),
        trace_id=text(raw.get("trace_id")),
        span_id=text(raw.get("span_id")),
        timestamp=seconds(raw.get("timestamp")),
        origin=origin,
    )
