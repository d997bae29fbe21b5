"""Writing a report: all of it or nothing, and never over something that is not a report."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.report.faults import fault_file
from harness.report.junit import junit_xml
from harness.report.markdown import summary_markdown
from harness.report.page_assembly import page_parts
from harness.report.record import SCHEMA, RunRecord
from harness.report.recording import body_file, envelope_file, refusal_file
from harness.report.report import Report

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_STAGING = ".sentry-report-"


class ReportNotWritten(RuntimeError):
    """There is no new report; what was there before is untouched. The message says why and what to do."""


def write_report(report: Report, directory: Path, *, pages: bool = True) -> None:
    """Write all files of a report, replacing the report that was there before.

    It is made beside its place and moved there when it is complete, so that a full disk, or an end in the middle of
    it, leaves the previous report as it was.

    Args:
        report: the run, with everything that arrived.
        directory: where the report shall be. It must not exist, be empty, or hold a report.
        pages: whether what people and other tools read is written too, not only the record.

    Raises:
        ReportNotWritten: it could not be written.
    """
    directory = directory.absolute()
    if not _may_be_replaced(directory):
        raise ReportNotWritten(
            f"{directory} is not a report and not empty, so it was left as it is; name another place with --report"
        )
    record = report.record
    files: Mapping[str, Callable[[], Iterable[str]]] = {"run.json": lambda: run_json(record)}
    if pages:
        files = {
            **files,
            "index.html": lambda: page_parts(record, report.arrivals),
            "summary.md": lambda: [summary_markdown(record)],
            "junit.xml": lambda: [junit_xml(record)],
        }
    staging = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=directory.parent))
        complete = staging / "report"
        for name in ("envelopes", "refusals", "faults"):
            (complete / name).mkdir(parents=True)
        _write_bodies(report, complete)
        for name, content in files.items():
            with (complete / name).open("w", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(content())
        _replace(directory, complete, staging / "previous")
    except OSError as problem:
        raise _not_written(directory, problem) from problem
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def add_to_report(report: Report, before: Report, directory: Path) -> None:
    """Bring a report without pages up to date: what arrived since is added, and at last the record is replaced.

    At no time is there none, so whoever is killed meanwhile leaves this one or the one before.

    Args:
        report: the run as it is now.
        before: the run as it was when its report was last written.
        directory: where that is.

    Raises:
        ReportNotWritten: it could not be written.
    """
    try:
        _write_bodies(report, directory, before)
        record = directory / "run.json.new"
        with record.open("w", encoding="utf-8") as file:
            file.writelines(run_json(report.record))
        record.replace(directory / "run.json")
    except OSError as problem:
        raise _not_written(directory, problem) from problem


def append_step_summary(record: RunRecord) -> None:
    """Show the summary on the page of a GitHub Actions job, when this is one.

    Raises:
        ReportNotWritten: the file that GitHub names cannot be written.
    """
    if not (named := os.environ.get(STEP_SUMMARY)):
        return
    try:
        with Path(named).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(summary_markdown(record) + "\n")
    except OSError as problem:
        raise ReportNotWritten(f"${STEP_SUMMARY} ({named}) cannot be written: {problem.strerror}") from problem


def run_json(record: RunRecord) -> Iterator[str]:
    """The record as JSON, in parts to be written one after the other; an entry of a list is a line of its own.

    It is valid for every reader, whatever text the services sent.
    """
    # Only ASCII: half a surrogate pair, which a service may well have sent, has no UTF-8 form but an escape.
    encode = json.JSONEncoder(sort_keys=True, ensure_ascii=True, default=_members).encode
    yield "{"
    for number, name in enumerate(sorted(_members(record))):
        value = getattr(record, name)
        yield f"{',' if number else ''}\n {encode(name)}: "
        if isinstance(value, tuple) and value:
            yield "[\n  "
            yield encode(value[0])
            for entry in value[1:]:
                yield ",\n  "
                yield encode(entry)
            yield "\n ]"
        else:
            yield encode(value)
    yield "\n}\n"


def _members(record: Any) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _write_bodies(report: Report, directory: Path, before: Report | None = None) -> None:
    there = (0, 0, 0) if before is None else (len(before.arrivals), len(before.refusals), len(before.faults))
    first_arrival, first_refusal, first_fault = there
    for arrival in report.arrivals[first_arrival:]:
        (directory / body_file(arrival)).write_bytes(arrival.body)
        made = envelope_file(arrival)
        if made is not None and made != body_file(arrival) and arrival.envelope is not None:
            (directory / made).write_bytes(arrival.envelope.serialize())
    for number, refusal in enumerate(report.refusals[first_refusal:], first_refusal):
        (directory / refusal_file(number)).write_bytes(refusal.body)
    for number, injection in enumerate(report.faults[first_fault:], first_fault):
        if injection.request is not None:
            (directory / fault_file(number)).write_bytes(injection.request.body)


def _not_written(directory: Path, problem: OSError) -> ReportNotWritten:
    advice = "free some space or " if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
    return ReportNotWritten(
        f"the report could not be written to {directory}: {problem.strerror or problem}; "
        f"{advice}name another place with --report"
    )


def _may_be_replaced(directory: Path) -> bool:
    if not directory.exists():
        return True
    if not directory.is_dir():
        return False
    if not any(directory.iterdir()):
        return True
    try:
        # Not read as JSON: it may be large, and was perhaps cut short.
        with (directory / "run.json").open(encoding="utf-8") as record:
            return any(SCHEMA in line for line in record)
    except (OSError, UnicodeDecodeError):
        return False


def _replace(directory: Path, complete: Path, previous: Path) -> None:
    # A directory cannot be moved over one that has something in it, so there is an instant without either.
    had_one = directory.exists()
    if had_one:
        directory.rename(previous)
    try:
        complete.rename(directory)
    except OSError:
        if had_one:
            previous.rename(directory)
        raise
