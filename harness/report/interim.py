"""The report of a run that is still under way: what is left of it when the run is killed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from harness.report.record import UNFINISHED, Outcome, RunRecord, TestRecord
from harness.report.recording import record_run
from harness.report.report import Report
from harness.report.writing import ReportNotWritten, add_to_report, write_report
from harness.run.execution import Execution
from harness.run.summary import RunSummary
from harness.verify.baseline.settings import BaselineSettings

# The run must have lasted this many times as long as all reports took, with one more such as the last.
_SPARING = 20
_PAUSE = 0.5


class InterimReports:
    """Writes the report again and again while tests end, in a thread that takes about a twentieth of the time.

    Args:
        execution: What is under way.
        tests: Gives the tests that have an outcome.
        directory: Where the report shall be.
        root: pytest's root directory.
        baseline: What the project configured of its baselines.
    """

    def __init__(
        self,
        execution: Execution,
        tests: Callable[[], Iterable[TestRecord]],
        directory: Path,
        *,
        root: Path,
        baseline: BaselineSettings,
    ) -> None:
        self._execution = execution
        self._tests = tests
        self._directory = directory
        self._root = root
        self._baseline = baseline
        self._written: Report | None = None
        self._told = threading.Condition()
        self._is_due = True
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="interim-report", daemon=True)

    def start(self) -> None:
        """Write the first report, and go on in the background."""
        self._thread.start()

    def note(self) -> None:
        """There is something new to be written."""
        with self._told:
            self._is_due = True
            self._told.notify()

    def stop(self) -> None:
        """End it; what was written stays until the report of the whole run replaces it."""
        with self._told:
            self._is_over = True
            self._told.notify()
        self._thread.join()

    def _run(self) -> None:
        started = time.monotonic()
        pause = spent = 0.0
        while True:
            with self._told:
                self._told.wait_for(lambda: self._is_over, pause)
                self._told.wait_for(lambda: self._is_over or self._is_due)
                if self._is_over:
                    return
                self._is_due = False
            began = time.monotonic()
            try:
                self._write()
            except ReportNotWritten:
                # The end of the run says so, if it still is so by then.
                return
            now = time.monotonic()
            spent += now - began
            pause = max(_PAUSE, started + _SPARING * (spent + now - began) - now)

    def _write(self) -> None:
        harvest = self._execution.harvest()
        kinds = Counter(
            kind
            for arrival in harvest.seen.arrivals
            for kind in ([item.type for item in arrival.envelope.items] if arrival.envelope else [arrival.endpoint])
        )
        summary = RunSummary(
            scenarios=len(harvest.gathered),
            envelopes=len(harvest.seen.arrivals),
            items=dict(sorted(kinds.items())),
            coverage_is_enforced=False,
        )
        tests = list(self._tests())
        record = record_run(
            harvest,
            summary,
            tests,
            exit_status=UNFINISHED,
            created_at=time.time(),
            root=self._root,
            baseline=self._baseline,
        )
        report = Report(_noted(record), harvest.seen.arrivals, harvest.seen.refusals, harvest.seen.faults)
        if self._written is None:
            write_report(report, self._directory, pages=False)
        else:
            add_to_report(report, self._written, self._directory)
        self._written = report


def _noted(record: RunRecord) -> RunRecord:
    ended = sum(test.outcome is not Outcome.NOT_RUN for test in record.tests)
    note = (
        f"The run was cut short: when this was written, {ended} tests had ended, and it never came to write the "
        "whole report. What it had captured until then is here; what it would have triggered or checked later is not."
    )
    return replace(record, notes=(note,))
