"""The large runs of the benchmarks are real ones."""

from __future__ import annotations

from pathlib import Path

from benchmarks.multiplying import multiplied
from harness.report.judging import judge_again
from harness.report.report import Report
from harness.verify.baseline.settings import BaselineSettings
from harness.verify.settings import CheckSettings
from tests.report.conftest import MakeRun


def test_a_multiplied_run_is_judged_as_the_run_is(make_run: MakeRun) -> None:
    original = make_run(3).report()
    report = multiplied(original, 10)
    assert len({test.id for test in report.record.tests}) == len({held.id for held in report.record.captures}) == 10
    once, often = _codes(original), _codes(report)
    assert once[0]
    assert often == [once[number % 3] for number in range(10)]


def _codes(report: Report) -> list[list[str]]:
    record = judge_again(report, CheckSettings(), BaselineSettings(enabled=False), Path())
    return [sorted(finding.code for finding in test.findings) for test in record.tests]
