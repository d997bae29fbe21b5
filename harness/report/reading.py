"""Reading a report from disk."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from harness.collector.arrival import Arrival, Content, Opened
from harness.collector.ingest import Refusal
from harness.report.captured import EnvelopeRecord, RefusalRecord
from harness.report.consistency import require_consistent
from harness.report.decoding import decoded
from harness.report.faults import recorded_injection
from harness.report.record import SCHEMA, VERSION, RunRecord
from harness.report.report import Report
from harness.wire.envelope import Envelope, MalformedEnvelope

# Every check over a whole run asks for everything once more, so as much as may be is kept as it was read.
_BYTES_KEPT = 256 * 1024 * 1024
_ENVELOPES_KEPT = 500


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
    bodies = _Bodies(record, directory)
    for held in record.envelopes:
        # Once now, so that what is missing is said before any work is done.
        bodies.opened(held.number)
    return Report(
        record,
        tuple(_arrival(held, bodies) for held in record.envelopes),
        tuple(_refusal(held, directory) for held in record.refusals),
        tuple(
            recorded_injection(held, b"" if held.file is None else _bytes(held.file, directory))
            for held in record.faults
        ),
    )


class _Bodies:
    """Bodies of a report, read when they are asked for: together they may be larger than the memory."""

    def __init__(self, record: RunRecord, directory: Path) -> None:
        self._record = record
        self._directory = directory
        self._kept: dict[int, bytes] = {}
        self._room = _BYTES_KEPT
        self.opened = lru_cache(_ENVELOPES_KEPT)(self._open)

    def _body(self, number: int) -> bytes:
        if (kept := self._kept.get(number)) is not None:
            return kept
        body = _bytes(self._record.envelopes[number].file, self._directory)
        if len(body) <= self._room:
            self._room -= len(body)
            self._kept[number] = body
        return body

    def _open(self, number: int) -> Opened:
        held = self._record.envelopes[number]
        body = self._body(number)
        if held.envelope is None:
            return Opened(body, None)
        try:
            made = body if held.envelope == held.file else _bytes(held.envelope, self._directory)
            return Opened(body, Envelope.parse(made))
        except MalformedEnvelope as problem:
            raise UnreadableReport(
                f"{self._directory / held.file} is damaged: {problem}; write the report again"
            ) from problem


class _InReport(Content):
    """Content of an arrival that a report keeps."""

    __slots__ = ("_bodies", "_number")

    def __init__(self, number: int, bodies: _Bodies) -> None:
        self._number = number
        self._bodies = bodies

    @property
    def body(self) -> bytes:
        return self._bodies.opened(self._number).body

    @property
    def envelope(self) -> Envelope | None:
        return self._bodies.opened(self._number).envelope


def _arrival(held: EnvelopeRecord, bodies: _Bodies) -> Arrival:
    return Arrival(
        number=held.number,
        received_at=held.received_at,
        project_id=held.project,
        public_key=held.public_key,
        endpoint=held.endpoint,
        headers=held.headers,
        query=held.query,
        content_encoding=held.content_encoding,
        wire_size=held.wire_size,
        content=_InReport(held.number, bodies),
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
