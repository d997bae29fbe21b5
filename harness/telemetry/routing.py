"""Which traces an envelope speaks of: the rule by which telemetry finds its scenario."""

from __future__ import annotations

from typing import Any

from harness.telemetry.shape import mapping, sequence, text
from harness.wire.envelope import Envelope, MalformedPayload

_BY_CONTEXT = frozenset({"event", "transaction", "check_in", "feedback"})
_CONTAINERS = frozenset({"span", "log", "trace_metric"})


def trace_ids(envelope: Envelope) -> frozenset[str]:
    """Trace ids of the envelope's dynamic sampling context and of everything inside it.

    A batch of logs or metrics mixes traces, and its envelope header has none; an event's own trace context may differ
    from the header when instrumentation is broken. All of them count, so that nothing is missed.
    """
    found: set[str | None] = {text((envelope.trace or {}).get("trace_id"))}
    for item in envelope.items:
        if item.type in _BY_CONTEXT or item.type in _CONTAINERS or item.type in ("profile", "replay_event"):
            try:
                found.update(_of_payload(item.type, mapping(item.json())))
            except MalformedPayload:
                continue
    found.discard(None)
    return frozenset(trace_id for trace_id in found if trace_id)


def _of_payload(kind: str, payload: dict[str, Any]) -> set[str | None]:
    if kind in _BY_CONTEXT:
        return {text(mapping(mapping(payload.get("contexts")).get("trace")).get("trace_id"))}
    if kind in _CONTAINERS:
        return {text(mapping(entry).get("trace_id")) for entry in sequence(payload.get("items"))}
    if kind == "replay_event":
        return {text(trace_id) for trace_id in sequence(payload.get("trace_ids"))}
    return {text(mapping(entry).get("trace_id")) for entry in sequence(payload.get("transactions"))}
