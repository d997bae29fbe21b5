"""From a capture to its shape: what a baseline keeps, in an order that does not depend on timing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.telemetry.events import Breadcrumb, ErrorEvent, ExceptionValue, Frame
from harness.telemetry.origin import Origin
from harness.telemetry.shape import mapping, sequence, text
from harness.telemetry.signals import Log, Metric
from harness.telemetry.spans import Span
from harness.telemetry.trace import Trace
from harness.verify.baseline.placeholders import Placeholders, figure, type_only
from harness.verify.capture import Capture

# They describe the machine that a service happens to run on (develop.sentry.dev, "Contexts Interface").
MACHINE_CONTEXTS = frozenset({"app", "cloud_resource", "culture", "device", "gpu", "os"})
VERSION_KEYS = frozenset({"build", "kernel_version", "raw_description", "version"})
# What a browser measures of itself: how fast the machine was decides whether it is there at all.
MEASURED_SPANS = ("browser.", "paint", "ui.interaction", "ui.long", "ui.webvital")
MEASUREMENTS = frozenset({"cls", "connection.rtt", "fcp", "fp", "inp", "lcp", "ttfb", "ttfb.requestTime"})
# Named for spans only if they were slow (the place in the source), or if the browser came to measure it.
UNSTABLE_ATTRIBUTES = re.compile(
    r"(code|browser|network\.connection|connection|performance|cls|fcp|fp|inp|lcp|ttfb)\."
    r"|http\.request\.(\w+_(start|end)|time_to_first_byte)$|effectiveConnectionType$"
)

# A page makes many requests at once, and notes each when it is answered.
REQUEST_CRUMBS = frozenset({"fetch", "xhr"})

_COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})

Shape = dict[str, Any]


def normalise(capture: Capture, root: Path | None = None) -> Shape:
    """The shape of a capture, equal for every run of unchanged services.

    Args:
        capture: a complete capture.
        root: the checkout that the services run from; its path is replaced.
    """
    evidence = capture.evidence
    trace = capture.trace
    rules = Placeholders(
        {name: facts.addresses for name, facts in evidence.services.items()},
        {
            "trace": [capture.trace_id] if capture.trace_id else [],
            "span": [span.span_id for span in capture.spans if span.span_id],
            "event": [event.event_id for event in capture.errors + capture.messages if event.event_id],
        },
        root,
    )
    shape: Shape = {"endpoint": evidence.title}
    if evidence.response is not None:
        content_type = evidence.response.headers.get("content-type")
        shape["response"] = {"status": evidence.response.status, "content_type": content_type}
    events = [_event(event, trace, rules) for event in capture.errors + capture.messages]
    shape["events"] = sorted(events, key=lambda event: (event["service"] or "", rules.sort_key(event)))
    shape["trace"] = _spans(_tops(trace), trace, rules, frozenset())
    shape["logs"] = _by_label(map(_log, capture.logs), rules, "service", "level", "body")
    shape["metrics"] = _by_label(map(_metric, capture.metrics), rules, "service", "type", "name")
    for kind, shapes in _records(capture).items():
        shape[kind] = sorted(shapes, key=rules.sort_key)
    return mapping(rules.numbered({key: held for key, held in shape.items() if held}))


def shape_of(captures: Sequence[Capture], root: Path | None = None) -> Shape:
    """The shape of all captures of a test: that of the only one, or a list of them.

    Args:
        captures: complete captures, in the order in which the test made them.
        root: the checkout that the services run from; its path is replaced.
    """
    shapes = [normalise(capture, root) for capture in captures]
    return shapes[0] if len(shapes) == 1 else {"captures": shapes}


def versions(capture: Capture) -> dict[str, dict[str, str]]:
    """Versions of SDKs and runtimes by service, as the services' own events and spans tell them."""
    found: dict[str, dict[str, str]] = {}
    for event in capture.errors + capture.messages:
        of_service = found.setdefault(event.service or "?", {})
        for told in (event.sdk, mapping(event.contexts.get("runtime"))):
            if (name := text(told.get("name"))) and (version := text(told.get("version"))):
                of_service[name] = version
    return found


def _event(event: ErrorEvent, trace: Trace, rules: Placeholders) -> Shape:
    span = trace.span_of(event)
    held: Shape = {
        "service": event.service,
        "kind": "message" if event.is_message else "error",
        "level": event.level,
        "message": event.message,
        "exceptions": [_exception(exception) for exception in event.exceptions],
        "transaction": event.transaction,
        "span": _span_label(span, rules) if span is not None else None,
        "logger": event.logger,
        "tags": event.tags,
        "user": event.user,
        "contexts": {name: _context(name, context) for name, context in event.contexts.items() if name != "trace"},
        "extra": figure(event.extra),
        "breadcrumbs": _breadcrumbs(event, rules),
        "fingerprint": event.fingerprint,
        "request": _request(event.request),
        "release": event.release,
        "environment": event.environment,
        "server_name": "<host>" if event.server_name else None,
        "platform": event.platform,
        "sdk": text(event.sdk.get("name")),
        "integrations": sorted(map(str, sequence(event.sdk.get("integrations")))),
    }
    return _without_empty(held)


def _exception(exception: ExceptionValue) -> Shape:
    frames = [_frame(frame) for frame in exception.frames if frame.in_app and not _is_comprehension(frame)]
    return _without_empty(
        {
            "type": exception.type,
            "module": exception.module,
            "value": exception.value,
            "mechanism": exception.mechanism.type,
            "handled": exception.mechanism.handled,
            "frames": _without_recursion(frames),
        }
    )


def _frame(frame: Frame) -> str:
    return f"{frame.module or frame.filename}: {frame.function}"


def _is_comprehension(frame: Frame) -> bool:
    # Since Python 3.12 (PEP 709) comprehensions have no frame of their own; the baseline holds for older ones too.
    return (frame.function or "").rpartition(".")[2] in _COMPREHENSIONS


def _without_recursion(frames: list[str]) -> list[str]:
    """Stack without the repetitions of a recursion, of which the depth is a matter of memory."""
    kept: list[str] = []
    for frame in frames:
        if frame not in kept:
            kept.append(frame)
    return kept


def _breadcrumbs(event: ErrorEvent, rules: Placeholders) -> list[Shape]:
    crumbs: list[Shape] = []
    in_page = event.platform == "javascript"
    for requests, alike in groupby(event.breadcrumbs, lambda crumb: in_page and crumb.category in REQUEST_CRUMBS):
        shapes = [_breadcrumb(crumb) for crumb in alike]
        crumbs += sorted(shapes, key=rules.sort_key) if requests else shapes
    return crumbs


def _breadcrumb(crumb: Breadcrumb) -> Shape:
    return _without_empty(
        {
            "category": crumb.category,
            "message": crumb.message,
            "level": crumb.level,
            "type": crumb.type,
            "data": figure(crumb.data),
        }
    )


def _context(name: str, context: Any) -> Any:
    if name in MACHINE_CONTEXTS:
        # Which of its figures a machine can tell is a matter of the machine too.
        return "<machine>"
    if name == "response":
        return context
    return {
        key: "<version>" if key in VERSION_KEYS else "<list>" if isinstance(held, list) else figure(held)
        for key, held in mapping(context).items()
    }


def _request(request: dict[str, Any]) -> Shape:
    headers = sorted(str(name).lower() for name in mapping(request.get("headers")))
    members = {"method": request.get("method"), "url": request.get("url"), "headers": headers}
    others = {key: type_only(held) for key, held in request.items() if key not in members}
    return _without_empty({**members, **others})


def _tops(trace: Trace) -> list[Span]:
    known = {span.span_id for span in trace.spans}
    return [span for span in trace.spans if span.parent_span_id not in known and not _is_measured(span)]


def _is_measured(span: Span) -> bool:
    return (span.op or "").startswith(MEASURED_SPANS)


def _spans(spans: Iterable[Span], trace: Trace, rules: Placeholders, above: frozenset[str | None]) -> Shape:
    unlinked = {span.span_id for span in trace.unlinked}

    def shape(span: Span) -> Shape:
        attributes = [name for name in span.attributes if not UNSTABLE_ATTRIBUTES.match(name)]
        children = [child for child in trace.children(span) if child.span_id not in above and not _is_measured(child)]
        held = {
            "name": span.name,
            "status": span.status,
            "http_status": span.http_status,
            "parent": "<not sent>" if span.span_id in unlinked else None,
            "attributes": sorted(attributes),
            "tags": span.tags,
            "contexts": sorted(name for name in span.contexts if name != "trace"),
            "measurements": sorted(span.measurements.keys() - MEASUREMENTS),
            "spans": _spans(children, trace, rules, above | {span.span_id}),
        }
        return _without_empty(held)

    return _grouped(((_span_label(span, rules), shape(span)) for span in spans), rules)


def _span_label(span: Span, rules: Placeholders) -> str:
    return rules.label(span.service, span.op, span.name)


def _log(log: Log) -> Shape:
    return {"service": log.service, "level": log.level, "body": log.body, "attributes": sorted(log.attributes)}


def _metric(metric: Metric) -> Shape:
    named = {"service": metric.service, "type": metric.type, "name": metric.name, "unit": metric.unit}
    return _without_empty({**named, "attributes": sorted(metric.attributes)})


def _by_label(shapes: Iterable[Shape], rules: Placeholders, *keys: str) -> Shape:
    return _grouped(((rules.label(*(held.get(key) for key in keys)), held) for held in shapes), rules)


def _grouped(labelled: Iterable[tuple[str, Shape]], rules: Placeholders) -> Shape:
    """Things without a reliable order, each under its label; those that are alike are one, with their number."""
    groups: dict[str, dict[str, list[Shape]]] = {}
    for label, shape in labelled:
        groups.setdefault(label, {}).setdefault(rules.sort_key(shape), []).append(shape)
    grouped: Shape = {}
    for label, alike in groups.items():
        for number, key in enumerate(sorted(alike), start=1):
            times = len(alike[key])
            shape = alike[key][0] if times == 1 else {**alike[key][0], "times": times}
            grouped[label if number == 1 else f"{label} ({number})"] = shape
    return grouped


def _records(capture: Capture) -> dict[str, list[Shape]]:
    def shapes(items: Sequence[Any], describe: Callable[[Any], Shape]) -> list[Shape]:
        return [_without_empty({"service": _service(item.origin), **describe(item)}) for item in items]

    profiles = [profile for profile in capture.profiles if not profile.continuous]
    return {
        "profiles": shapes(profiles, lambda profile: {"transaction": profile.transaction}),
        "attachments": shapes(
            capture.attachments, lambda held: {"filename": held.filename, "content_type": held.content_type}
        ),
        "check_ins": shapes(capture.check_ins, lambda sent: {"monitor": sent.monitor, "status": sent.status}),
        # Into how many segments a replay is cut is a matter of time.
        "replays": shapes(list({replay.replay_id: replay for replay in capture.replays}.values()), lambda _: {}),
        "feedback": shapes(capture.feedback, lambda _: {}),
        "unread": shapes(capture.unread, lambda unread: {"type": unread.type}),
    }


def _service(origin: Origin) -> str | None:
    return origin.service


def _without_empty(shape: Shape) -> Shape:
    return {key: held for key, held in shape.items() if held not in (None, "", [], {})}
