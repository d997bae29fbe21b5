from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.evidence import EvidenceOfReport
from harness.report.judging import NoBaselines, judge_again
from harness.report.record import BaselineState, Outcome
from harness.report.report import Report
from harness.verify.baseline.files import baseline_path, write_baseline
from harness.verify.baseline.normalising import shape_of
from harness.verify.baseline.paths import Loosening
from harness.verify.baseline.settings import BaselineSettings
from harness.verify.settings import CheckSettings
from tests.report.conftest import MakeRun


def lenient(record_of: Report) -> CheckSettings:
    """Without the checks that find something in these runs, which are made by hand and not complete."""
    found = judge_again(record_of, CheckSettings(), BaselineSettings(enabled=False), Path())
    return CheckSettings(disable=frozenset({held.check for held in found.all_findings}))


@pytest.fixture
def report(make_run: MakeRun) -> Report:
    run = make_run(2)
    run.summary = replace(run.summary, coverage=())
    return run.report()


def _write_baselines(report: Report, root: Path) -> list[Path]:
    evidence = EvidenceOfReport(report)
    paths = []
    for test in report.record.tests:
        module, *names = test.id.split("::")
        paths.append(baseline_path(root / module, names))
        captures = [evidence.capture(held) for held in test.captures]
        write_baseline(paths[-1], shape_of(captures, Path("/checkout")))
    return paths


def test_checks_are_repeated_with_the_given_settings(report: Report) -> None:
    off = BaselineSettings(enabled=False)
    settings = lenient(report)
    good = judge_again(report, settings, off, Path())
    assert (good.exit_status, {test.outcome for test in good.tests}) == (0, {Outcome.PASSED})
    strict = replace(settings, disable=settings.disable - {"volume"}, options={"volume": {"items": 1}})
    bad = judge_again(report, strict, off, Path())
    assert (bad.exit_status, {test.outcome for test in bad.tests}) == (1, {Outcome.FAILED})
    assert {held.check for test in bad.tests for held in test.findings} == {"volume"}
    assert "volume" in bad.tests[0].message
    allowing = replace(
        report,
        record=replace(
            report.record, tests=tuple(replace(t, allowed=(("volume", "large"),)) for t in report.record.tests)
        ),
    )
    allowed = judge_again(allowing, strict, off, Path())
    assert (allowed.exit_status, allowed.tests[0].findings[0].allowed) == (0, "large")


def test_baselines_are_held_against_what_was_captured(report: Report, tmp_path: Path) -> None:
    settings, on = lenient(report), BaselineSettings()
    first, _ = _write_baselines(report, tmp_path)
    assert judge_again(report, settings, on, tmp_path).exit_status == 0
    shape = json.loads(first.read_text())
    shape["events"][0]["tags"]["tenant"] = "acme"
    first.write_text(json.dumps(shape))
    bad = judge_again(report, settings, on, tmp_path)
    assert [test.outcome for test in bad.tests] == [Outcome.FAILED, Outcome.PASSED]
    assert [(held.kind, held.path) for held in bad.tests[0].differences] == [("lost", "$.events[0].tags.tenant")]
    assert "lost     $.events[0].tags.tenant" in bad.tests[0].message
    loose = BaselineSettings(loosened=(Loosening("$.events[0].tags.tenant", "x"),))
    assert judge_again(report, settings, loose, tmp_path).exit_status == 0
    tests = tuple(replace(t, loosened=(("$.events[0].tags.tenant", "x"),)) for t in report.record.tests)
    by_scenario = replace(report, record=replace(report.record, tests=tests))
    assert judge_again(by_scenario, settings, on, tmp_path).exit_status == 0


def test_gained_fails_when_configured(report: Report, tmp_path: Path) -> None:
    settings = lenient(report)
    first, _ = _write_baselines(report, tmp_path)
    shape = json.loads(first.read_text())
    del shape["events"][0]["tags"]["note"]
    first.write_text(json.dumps(shape))
    noted = judge_again(report, settings, BaselineSettings(), tmp_path)
    assert (noted.exit_status, noted.tests[0].differences[0].kind) == (0, "gained")
    assert judge_again(report, settings, BaselineSettings(gained_fails=True), tmp_path).exit_status == 1


def test_a_missing_and_an_unreadable_baseline_fail(report: Report, tmp_path: Path) -> None:
    first, second = _write_baselines(report, tmp_path)
    first.unlink()
    second.write_text("<<<<<<< ours")
    record = judge_again(report, lenient(report), BaselineSettings(), tmp_path)
    assert [test.baseline for test in record.tests] == [BaselineState.MISSING] * 2
    assert f"there is no baseline {first}" in record.tests[0].message
    assert "is no JSON" in record.tests[1].message


def test_no_baseline_at_all_is_a_wrong_directory(report: Report, tmp_path: Path) -> None:
    with pytest.raises(NoBaselines, match="--root"):
        judge_again(report, CheckSettings(), BaselineSettings(), tmp_path)


def test_a_test_that_failed_by_itself_stays_failed_and_it_is_said(make_run: MakeRun) -> None:
    failed = {"outcome": Outcome.FAILED, "own_outcome": Outcome.FAILED, "message": "assert 1 == 2"}
    report = make_run(2, tests={0: failed}).report(exit_status=1)
    record = judge_again(report, lenient(report), BaselineSettings(enabled=False), Path())
    assert (record.exit_status, record.tests[0].message) == (1, "assert 1 == 2")
    assert any("1 tests failed by their own assertions" in note for note in record.notes)
    assert any("DB_PASSWORD of payment" in note for note in record.notes)


def test_a_run_that_was_cut_short_is_no_good_run(make_run: MakeRun) -> None:
    report = make_run(1).report(exit_status=3)
    assert judge_again(report, lenient(report), BaselineSettings(enabled=False), Path()).exit_status == 3
