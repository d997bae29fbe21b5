"""Reading a report: the record, what arrived, and the evidence of each capture as its test saw it."""

from __future__ import annotations

import base64
import json
import types
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from harness.collector.inbox import Arrival
from harness.report.record import (
    SCHEMA,
    VERSION,
    CaptureRecord,
    EnvelopeRecord,
    PageRecord,
    ResponseRecord,
    RunRecord,
)
from harness.telemetry.resources import ResourceSample
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts
from harness.wire.envelope import Envelope, MalformedEnvelope
from harness.wire.trace import DynamicSamplingContext


class UnreadableReport(ValueError):
    """There is no report, or it cannot be read; the message says what is wrong and what to do."""


def read_record(directory: Path) -> RunRecord:
    """The record of a report.

    Args:
        directory: the report.

    Raises:
        UnreadableReport: there is none, or it is not one that this version reads.
    """
    path = directory / "run.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise UnreadableReport(f"{path} cannot be read: {problem.strerror}; is {directory} a report?") from problem
    except ValueError as problem:
        raise UnreadableReport(f"{path} is not JSON ({problem}); write the report again") from problem
    if not isinstance(held, dict) or held.get("schema") != SCHEMA:
        raise UnreadableReport(f"{path} is not the record of a run: its schema is not {SCHEMA!r}")
    if held.get("version") != VERSION:
        raise UnreadableReport(
            f"{path} has version {held.get('version')!r}, this harness reads version {VERSION}; "
            "read it with the version of the harness that wrote it"
        )
    try:
        record: RunRecord = _decoded(RunRecord, held)
    except (KeyError, TypeError, ValueError) as problem:
        raise UnreadableReport(f"{path} is damaged: {problem!r}; write the report again") from problem
    return record


def read_bodies(record: RunRecord, directory: Path) -> tuple[Arrival, ...]:
    """Everything that arrived during the run.

    Args:
        record: the record of the report.
        directory: the report.

    Raises:
        UnreadableReport: the body of an envelope is missing or damaged.
    """
    return tuple(_arrival(held, directory) for held in record.envelopes)


def evidence_of(capture: CaptureRecord, record: RunRecord, arrivals: Sequence[Arrival]) -> Evidence:
    """The evidence of a capture, but for secrets of the services' environment, whose values are not in a report.

    Args:
        capture: the capture.
        record: the run it belongs to.
        arrivals: everything that arrived during the run.
    """
    return Evidence(
        title=capture.title,
        target=capture.service,
        trace_id=capture.id,
        span_id=capture.span_id,
        entry=capture.entry,
        response=None if capture.response is None else _response(capture.response),
        problem=capture.problem,
        arrivals=tuple(arrivals[number] for number in capture.envelopes),
        orphans=_orphans(capture, record, arrivals),
        services={name: _facts(name, capture, record) for name in capture.services},
        services_by_project=capture.projects,
        marker=capture.marker,
        secrets=capture.canaries,
        sampling_context=None if capture.sampling_context is None else _context(capture.sampling_context),
        exit_expected=capture.exit_code is not None,
        page=None if capture.page is None else _page(capture.page),
    )


def _orphans(capture: CaptureRecord, record: RunRecord, arrivals: Sequence[Arrival]) -> tuple[Arrival, ...]:
    if capture.orphans is None:
        return ()
    numbers = [held.number for held in record.envelopes if held.orphan]
    first, last = capture.orphans
    between = numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]
    return tuple(arrivals[number] for number in between if arrivals[number].project_id in capture.projects)


def _facts(name: str, capture: CaptureRecord, record: RunRecord) -> ServiceFacts:
    held = capture.services[name]
    first, last = held.samples
    return ServiceFacts(
        name=name,
        state=held.state,
        sdk=held.sdk,
        foreign_dsn=held.foreign_dsn,
        url=held.url,
        exit_code=held.exit_code,
        ever_contacted=held.ever_contacted,
        release=held.release,
        environment=held.environment,
        refusals=held.refusals,
        log_tail="\n".join(record.log_lines[line] for line in held.log_tail),
        resources=tuple(ResourceSample(*sample) for sample in record.samples(name, held.url)[first:last]),
    )


def _response(held: ResponseRecord) -> Response:
    body = base64.b64decode(held.body) if held.body_encoding == "base64" else held.body.encode()
    return Response(held.status, held.headers, body, held.elapsed_ms, held.url)


def _page(held: PageRecord) -> PageView:
    return PageView(held.url, held.console, base64.b64decode(held.screenshot))


def _context(held: Mapping[str, str]) -> DynamicSamplingContext:
    return DynamicSamplingContext(**held)


def _arrival(held: EnvelopeRecord, directory: Path) -> Arrival:
    try:
        body = (directory / held.file).read_bytes()
        envelope = None if held.envelope is None else Envelope.parse((directory / held.envelope).read_bytes())
    except OSError as problem:
        raise UnreadableReport(
            f"{problem.filename} cannot be read: {problem.strerror}; copy the whole report, with envelopes/"
        ) from problem
    except MalformedEnvelope as problem:
        raise UnreadableReport(f"{directory / held.file} is damaged: {problem}; write the report again") from problem
    return Arrival(
        number=held.number,
        received_at=held.received_at,
        project_id=held.project,
        public_key=held.public_key,
        endpoint=held.endpoint,
        headers=held.headers,
        query=held.query,
        content_encoding=held.content_encoding,
        body=body,
        wire_size=held.wire_size,
        envelope=envelope,
    )


def _decoded(kind: Any, value: Any) -> Any:
    """What JSON holds, as the type that the record declares for it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _decoded_union(arguments, value)
    if origin is tuple:
        repeated = arguments[-1] is Ellipsis
        kinds = [arguments[0]] * len(value) if repeated else arguments
        return tuple(_decoded(each, held) for each, held in zip(kinds, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decoded(arguments[1], held) for key, held in value.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{of.name: _decoded(hints[of.name], value[of.name]) for of in fields(kind) if of.init})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is not Any and not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _decoded_union(kinds: Sequence[Any], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    problem: Exception | None = None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _decoded(kind, value)
        except TypeError as found:
            problem = found
    raise TypeError(str(problem))
