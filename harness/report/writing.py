"""Writing a report: all of it or nothing, and never over something that is not a report."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from harness.report.faults import fault_file
from harness.report.junit import junit_xml
from harness.report.markdown import summary_markdown
from harness.report.page_assembly import page_html
from harness.report.record import SCHEMA, RunRecord
from harness.report.recording import body_file, envelope_file, refusal_file
from harness.report.report import Report

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_STAGING = ".sentry-report-"


class ReportNotWritten(RuntimeError):
    """There is no new report; what was there before is untouched. The message says why and what to do."""


def write_report(report: Report, directory: Path) -> None:
    """Write all files of a report, replacing the report that was there before.

    It is made beside its place and moved there when it is complete, so that a full disk, or an end in the middle of
    it, leaves the previous report as it was.

    Args:
        report: the run, with everything that arrived.
        directory: where the report shall be. It must not exist, be empty, or hold a report.

    Raises:
        ReportNotWritten: it could not be written.
    """
    directory = directory.absolute()
    if not _may_be_replaced(directory):
        raise ReportNotWritten(
            f"{directory} is not a report and not empty, so it was left as it is; name another place with --report"
        )
    record = report.record
    files: Mapping[str, Callable[[], str]] = {
        "run.json": lambda: run_json(record),
        "index.html": lambda: page_html(record, report.arrivals),
        "summary.md": lambda: summary_markdown(record),
        "junit.xml": lambda: junit_xml(record),
    }
    staging = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=directory.parent))
        complete = staging / "report"
        for name in ("envelopes", "refusals", "faults"):
            (complete / name).mkdir(parents=True)
        for arrival in report.arrivals:
            (complete / body_file(arrival)).write_bytes(arrival.body)
            made = envelope_file(arrival)
            if arrival.envelope is not None and made is not None and made != body_file(arrival):
                (complete / made).write_bytes(arrival.envelope.serialize())
        for number, refusal in enumerate(report.refusals):
            (complete / refusal_file(number)).write_bytes(refusal.body)
        for number, injection in enumerate(report.faults):
            if injection.request is not None:
                (complete / fault_file(number)).write_bytes(injection.request.body)
        for name, content in files.items():
            (complete / name).write_text(content(), encoding="utf-8", errors="backslashreplace")
        _replace(directory, complete, staging / "previous")
    except OSError as problem:
        advice = "free some space or " if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
        raise ReportNotWritten(
            f"the report could not be written to {directory}: {problem.strerror or problem}; "
            f"{advice}name another place with --report"
        ) from problem
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


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


def run_json(record: RunRecord) -> str:
    """The record as JSON: valid for every reader, whatever text the services sent."""
    # Only ASCII: half a surrogate pair, which a service may well have sent, has no UTF-8 form but an escape.
    return json.dumps(asdict(record), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def _may_be_replaced(directory: Path) -> bool:
    if not directory.exists():
        return True
    if not directory.is_dir():
        return False
    if not any(directory.iterdir()):
        return True
    try:
        held = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and held.get("schema") == SCHEMA


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
