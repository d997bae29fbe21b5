"""What an envelope may hold and what its items must look like.

Sources: https://develop.sentry.dev/sdk/foundations/transport/envelope-items/, and what Relay drops: the containers in
``relay-server/src/envelope/container.rs``, the sizes in ``relay-server/src/utils/sizes.rs``, replays in
``relay-server/src/processing/replays/process.rs``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from harness.collector.limits import check_item_limits
from harness.collector.messages import Refused
from harness.telemetry.shape import number, seconds, text
from harness.verify.finding import Finding, Severity
from harness.verify.sent import SentEnvelope, SentItem, entries, payload_of
from harness.wire.envelope import Item, MalformedPayload

CONTAINERS = {
    "span": "application/vnd.sentry.items.span.v2+json",
    "log": "application/vnd.sentry.items.log+json",
    "trace_metric": "application/vnd.sentry.items.trace-metric+json",
}
"""Media types of the containers, by item type."""

_JSON_TYPES = frozenset(
    {
        *CONTAINERS,
        "event",
        "transaction",
        "feedback",
        "user_report",
        "session",
        "sessions",
        "client_report",
        "check_in",
        "replay_event",
        "profile",
        "profile_chunk",
    }
)
_OTHER_TYPES = frozenset(
    {
        "attachment",
        "replay_recording",
        "replay_video",
        "statsd",
        "metric_buckets",
        "security",
        "raw_security",
        "nel",
        "form_data",
        "unreal_report",
    }
)
_ONCE_TOGETHER = ("event", "transaction", "feedback")
_ONCE = ("log", "trace_metric", "check_in", "profile")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_LEVELS = frozenset({"trace", "debug", "info", "warn", "error", "fatal"})
_METRIC_TYPES = frozenset({"counter", "gauge", "distribution"})


def item_findings(sent: SentEnvelope, trace_id: str | None) -> Iterator[Finding]:
    """Everything that Sentry would drop, or that no SDK may send, in one envelope.

    Args:
        sent: the envelope.
        trace_id: the trace to look at, where a container mixes entries of several; None for all.
    """
    yield from _payloads(sent)
    yield from _multiplicity(sent)
    yield from _replay(sent)
    for item in readable_containers(sent):
        yield from _container(item, trace_id)


def readable_containers(sent: SentEnvelope) -> Iterator[SentItem]:
    """The envelope's containers of spans, logs and metrics; not the single spans of older SDKs."""
    for item in sent.envelope.items:
        if item.type in CONTAINERS and (item.type != "span" or item.content_type is not None):
            payload = _json_object(item)
            if isinstance(payload, dict):
                yield SentItem(item, payload, sent.origin)


def _payloads(sent: SentEnvelope) -> Iterator[Finding]:
    for index, item in enumerate(sent.envelope.items):
        where = f"item {index} of {sent}"
        if item.type in _JSON_TYPES:
            problem = _json_object(item)
            if isinstance(problem, str):
                yield Finding(
                    code="protocol.unreadable",
                    message=f"Sentry drops it: {problem}",
                    service=sent.origin.service,
                    item=where,
                )
        elif item.type not in _OTHER_TYPES:
            yield Finding(
                code="protocol.unknown-item-type",
                message=f"Sentry has no item type {item.type!r} and ignores it; check its spelling, or whether "
                "the SDK is newer than this harness",
                severity=Severity.WARNING,
                service=sent.origin.service,
                item=where,
            )


def _json_object(item: Item) -> dict[str, Any] | str:
    """The payload, or in words why it is not a JSON object."""
    if isinstance(payload := payload_of(item), dict):
        return payload
    try:
        payload = item.json()
    except MalformedPayload as malformed:
        return str(malformed)
    return f"payload of the {item.type!r} item is a JSON {type(payload).__name__}, not an object"


def _multiplicity(sent: SentEnvelope) -> Iterator[Finding]:
    counted = Counter(
        item.type for item in sent.envelope.items if item.type != "span" or item.content_type is not None
    )
    together = [kind for kind in _ONCE_TOGETHER if counted[kind]]
    excess = {" and ".join(together): sum(counted[kind] for kind in together)} if together else {}
    excess |= {kind: counted[kind] for kind in (*_ONCE, "span")}
    excess = {kind: count for kind, count in excess.items() if count > 1}
    for kind, count in excess.items():
        yield Finding(
            code="protocol.too-many-items",
            message=f"an envelope may hold one {kind} item at most, this one has {count}: Sentry refuses the "
            "envelope; send them in envelopes of their own, or as entries of one container",
            service=sent.origin.service,
            item=str(sent),
        )
    if not excess:
        try:
            check_item_limits(sent.envelope)
        except Refused as refused:
            yield Finding(
                code="protocol.too-large",
                message=f"Sentry answers {refused}; send less of it",
                service=sent.origin.service,
                item=str(sent),
            )


def _replay(sent: SentEnvelope) -> Iterator[Finding]:
    # A replay_video brings its event and recording inside itself.
    counted = Counter(item.type for item in sent.envelope.items)
    if counted["replay_event"] != counted["replay_recording"]:
        yield Finding(
            code="protocol.replay-incomplete",
            message=f"it has {counted['replay_event']} replay_event and {counted['replay_recording']} "
            "replay_recording: Sentry drops one without the other, both must be in one envelope",
            service=sent.origin.service,
            item=str(sent),
        )


def _container(sent: SentItem, trace_id: str | None) -> Iterator[Finding]:
    kind, wanted = sent.item.type, CONTAINERS[sent.item.type]
    listed = sent.payload.get("items")
    if sent.item.content_type != wanted:
        yield Finding(
            code="protocol.content-type",
            message=f"its content_type is {sent.item.content_type!r}, not {wanted!r}: Sentry drops all of it",
            service=sent.service,
            item=str(sent),
        )
    if not isinstance(listed, list):
        yield Finding(
            code="protocol.unreadable",
            message="Sentry drops it: a container needs a list `items`",
            service=sent.service,
            item=str(sent),
            path="$.items",
        )
        return
    declared = sent.item.headers.get("item_count")
    if declared != len(listed) or isinstance(declared, bool):
        yield Finding(
            code="protocol.item-count",
            message=f"its header says item_count {declared!r}, but there are {len(listed)}: Sentry drops all of them",
            service=sent.service,
            item=str(sent),
            path="$.items",
        )
    for index, entry in enumerate(listed):
        if not isinstance(entry, dict):
            yield _invalid_entry(
                sent, str(sent), f"$.items[{index}]", f"a {kind} must be an object, not {entry!r:.80}"
            )
    for found in entries(sent):
        if trace_id not in (None, found.trace_id) and _is_trace_id(found.trace_id):
            continue
        for field, valid, demand in _ENTRY_RULES[kind]:
            if not valid(found.payload.get(field)):
                value = f"{found.payload[field]!r:.80}" if field in found.payload else "missing"
                yield _invalid_entry(
                    sent, str(found), f"{found.path}.{field}", f"{field} must be {demand}, it is {value}"
                )


def _invalid_entry(sent: SentItem, item: str, path: str, reason: str) -> Finding:
    return Finding(
        code="protocol.invalid-entry",
        message=f"Sentry drops it: {reason}",
        service=sent.service,
        item=item,
        path=path,
    )


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value.lower()) is not None


def _one_of(allowed: frozenset[str]) -> Callable[[object], bool]:
    return lambda value: text(value) in allowed


def _listed(allowed: frozenset[str]) -> str:
    return "one of " + ", ".join(sorted(allowed))


_Rule = tuple[str, Callable[[object], bool], str]
_is_trace_id = _matches(_TRACE_ID)
_IN_TRACE: _Rule = ("trace_id", _is_trace_id, "32 hexadecimal digits")
_AT: _Rule = ("timestamp", lambda value: seconds(value) is not None, "a time")
_NAMED: _Rule = ("name", lambda value: bool(text(value)), "a text")
# develop.sentry.dev, "Span Protocol", "Logs" and "Metrics": the required properties.
_ENTRY_RULES: dict[str, tuple[_Rule, ...]] = {
    "span": (
        _IN_TRACE,
        ("span_id", _matches(_SPAN_ID), "16 hexadecimal digits"),
        ("name", lambda value: isinstance(value, str), "a text"),
        ("status", _one_of(frozenset({"ok", "error"})), "ok or error"),
        ("start_timestamp", lambda value: number(value) is not None, "a number of seconds"),
        ("end_timestamp", lambda value: number(value) is not None, "a number of seconds"),
    ),
    "log": (
        _IN_TRACE,
        _AT,
        ("level", _one_of(_LEVELS), _listed(_LEVELS)),
        ("body", lambda value: isinstance(value, str), "a text"),
    ),
    "trace_metric": (
        _IN_TRACE,
        _AT,
        _NAMED,
        ("type", _one_of(_METRIC_TYPES), _listed(_METRIC_TYPES)),
        ("value", lambda value: number(value) is not None, "a number"),
    ),
}
