"""Reading a report from disk."""

from __future__ import annotations

import json
from pathlib import Path

from harness.collector.inbox import Arrival
from harness.collector.ingest import Refusal
from harness.report.captured import EnvelopeRecord, RefusalRecord
from harness.report.consistency import require_consistent
from harness.report.decoding import decoded
from harness.report.faults import recorded_injection
from harness.report.record import SCHEMA, VERSION, RunRecord
from harness.report.report import Report
from harness.wire.envelope import Envelope, MalformedEnvelope


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
        record: RunRecord = decoded(RunRecord, held)
        require_consistent(record)
    except (KeyError, TypeError, ValueError) as problem:
        raise UnreadableReport(f"{path} is damaged: {problem!r}; write the report again") from problem
    return record


def read_report(directory: Path) -> Report:
    """A report with everything that arrived, that was refused, and that a fault befell.

    Args:
        directory: the report.

    Raises:
        UnreadableReport: there is none, it is not one that this version reads, or a body is missing or damaged.
    """
    record = read_record(directory)
    return Report(
        record,
        tuple(_arrival(held, directory) for held in record.envelopes),
        tuple(_refusal(held, directory) for held in record.refusals),
        tuple(
            recorded_injection(held, b"" if held.file is None else _bytes(held.file, directory))
            for held in record.faults
        ),
    )


def _arrival(held: EnvelopeRecord, directory: Path) -> Arrival:
    body = _bytes(held.file, directory)
    try:
        envelope = None if held.envelope is None else Envelope.parse(_bytes(held.envelope, directory))
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


def _refusal(held: RefusalRecord, directory: Path) -> Refusal:
    return Refusal(
        received_at=held.received_at,
        method=held.method,
        path=held.path,
        query=held.query,
        headers=held.headers,
        body=_bytes(held.file, directory),
        status=held.status,
        detail=held.detail,
        service=held.service,
    )


def _bytes(file: str, directory: Path) -> bytes:
    # A report may come from anybody, and what it names is copied into the next one.
    if not (directory / file).resolve().is_relative_to(directory.resolve()):
        raise UnreadableReport(
            f"{directory / 'run.json'} names {file!r}, which is not inside the report; do not use it"
        )
    try:
        return (directory / file).read_bytes()
    except OSError as problem:
        raise UnreadableReport(
            f"{problem.filename} cannot be read: {problem.strerror}; copy all of the report"
        ) from problem
