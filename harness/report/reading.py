"""Reading a report from disk."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path

import msgspec

from harness.collector.arrival import Arrival, Content, Opened
from harness.collector.ingest import Refusal
from harness.report.captured import EnvelopeRecord, RefusalRecord
from harness.report.consistency import require_consistent
from harness.report.faults import recorded_injection
from harness.report.record import SCHEMA, VERSION, RunRecord
from harness.report.report import Report
from harness.report.spreading import spread
from harness.wire.envelope import Envelope, MalformedEnvelope

_ENVELOPES_KEPT = 500
_FOLDERS = ("envelopes", "refusals", "faults")
_FILE = re.compile(rf"(?:{'|'.join(_FOLDERS)})/[\w-][\w.-]*", re.ASCII)
# Windows has none, and makes no links without an administrator's leave.
_NO_LINKS: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


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
        record = msgspec.convert(held, RunRecord)
        require_consistent(record)
    except (KeyError, ValueError) as problem:
        raise UnreadableReport(f"{path} is damaged: {problem}; write the report again") from problem
    return record


def read_report(directory: Path) -> Report:
    """A report with everything that arrived, that was refused, and that a fault befell.

    Args:
        directory: the report.

    Raises:
        UnreadableReport: there is none, it is not one that this version reads, or a body is missing or damaged.
    """
    record = read_record(directory)
    if linked := [folder for folder in _FOLDERS if (directory / folder).is_symlink()]:
        raise UnreadableReport(f"{directory / linked[0]} is a link to what is not inside the report; do not use it")
    bodies = _Bodies(record, directory)
    # Once now, so that what is missing is said before any work is done.
    for _ in spread(bodies.require, range(len(record.envelopes))):
        pass
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
        self.opened = lru_cache(_ENVELOPES_KEPT)(self._open)

    def require(self, number: int) -> None:
        """Read a body, so that one that cannot be read is known."""
        self._open(number)

    def _open(self, number: int) -> Opened:
        held = self._record.envelopes[number]
        body = _bytes(held.file, self._directory)
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
    if not _FILE.fullmatch(file):
        raise UnreadableReport(
            f"{directory / 'run.json'} names {file!r}, which is not inside the report; do not use it"
        )
    path = directory / file
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS), "rb") as body:
            return body.read()
    except OSError as problem:
        raise UnreadableReport(f"{path} cannot be read: {problem.strerror}; copy all of the report") from problem
