from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.collector.arrival import Opened
from harness.report.comparing import ACCEPTED, KNOWN, REMOVED, SKIPPED, NothingToCompare, judge_against
from harness.report.markdown import summary_markdown
from harness.report.record import BaselineState, DifferenceRecord, Outcome, RunRecord, TestRecord
from harness.report.report import Report
from harness.report.terminal import record_lines
from harness.run.summary import Coverage, LostTrace
from harness.verify.baseline.files import baseline_of
from tests.report.conftest import MakeRun, finding, trace_id
from tests.samples import envelope, error

COMPARED = {"baseline": BaselineState.COMPARED}


def _diff(reference: Report, report: Report, **options: Any) -> RunRecord:
    return judge_against(reference, report, **options)


@pytest.fixture
def reference(make_run: MakeRun) -> Report:
    return make_run(2).report()


def test_two_runs_of_the_same_have_no_difference(make_run: MakeRun, reference: Report) -> None:
    record = _diff(reference, make_run(2).report())
    assert record.passed
    assert [test.differences for test in record.tests] == [(), ()]
    assert "No regression: 2 tests are as good" in "\n".join(record_lines(record))


def test_a_changed_tag_is_a_regression_told_by_scenario_and_path(make_run: MakeRun, reference: Report) -> None:
    record = _diff(reference, make_run(2, message="bang").report())
    assert record.exit_status == 1
    paths = {(held.kind, held.path) for held in record.tests[0].differences}
    assert ("changed", "$.events[0].tags.note") in paths
    assert record.tests[0].outcome is Outcome.FAILED
    text = "\n".join(record_lines(record))
    assert "FAILED payment GET /debug/0 (test_pay.py:1)" in text
    assert 'changed  $.events[0].tags.note: it was "boom", it is "bang"' in text
    summary = summary_markdown(record)
    assert "2 of 2 tests regressed against the reference run." in summary
    assert "### Differences from the reference run" in summary


def test_a_difference_that_a_scenario_loosens_is_none(make_run: MakeRun, reference: Report) -> None:
    loose = {"loosened": (("$.events", "x"), ("$.logs", "x"), ("$.response", "x"))}
    loosened = make_run(2, message="bang", tests={0: loose, 1: loose}).report()
    assert _diff(reference, loosened).passed
    assert _diff(loosened, reference).passed


def test_what_the_committed_baseline_agrees_with_is_accepted_on_demand(make_run: MakeRun, reference: Report) -> None:
    lost = (DifferenceRecord("lost", "$.x"),)
    changed = make_run(
        2, message="bang", tests={0: COMPARED, 1: {**COMPARED, "differences": lost, "outcome": Outcome.FAILED}}
    ).report(exit_status=1)
    assert not _diff(reference, changed).passed
    record = _diff(reference, changed, accepting_in=Path("/nowhere"))
    assert [test.outcome for test in record.tests] == [Outcome.PASSED, Outcome.FAILED]
    assert {held.accepted for held in record.tests[0].differences} == {ACCEPTED}
    assert {held.accepted for held in record.tests[1].differences} == {None}
    assert ACCEPTED in summary_markdown(record)


def test_without_a_comparison_no_baseline_accepts_anything(make_run: MakeRun, reference: Report) -> None:
    written = {"baseline": BaselineState.WRITTEN}
    changed = make_run(2, message="bang", tests={0: written, 1: written}).report()
    assert not _diff(reference, changed, accepting_in=Path("/nowhere")).passed


def test_a_test_that_is_gone_is_a_regression_as_long_as_its_baseline_is_there(
    make_run: MakeRun, reference: Report, tmp_path: Path
) -> None:
    record = _diff(reference, make_run(1).report())
    gone = record.tests[1]
    assert (gone.id, gone.outcome, record.passed) == ("test_pay.py::test_0001", Outcome.NOT_RUN, False)
    assert gone.differences == (DifferenceRecord("lost", "$", "payment GET /debug/1"),)
    accepted = _diff(reference, make_run(1).report(), accepting_in=tmp_path)
    assert (accepted.tests[1].outcome, accepted.passed) == (Outcome.SKIPPED, True)
    assert accepted.tests[1].differences[0].accepted == REMOVED
    baseline = baseline_of(gone.id, tmp_path)
    baseline.parent.mkdir(parents=True)
    baseline.write_text("{}")
    kept = _diff(reference, make_run(1).report(), accepting_in=tmp_path)
    assert not kept.passed
    assert "delete it too" in kept.tests[1].message


@pytest.mark.parametrize("captured", [True, False])
def test_a_test_that_is_skipped_now_is_a_regression(make_run: MakeRun, reference: Report, captured: bool) -> None:
    # A skipped scenario may have been triggered all the same.
    skipped = {"outcome": Outcome.SKIPPED, "own_outcome": Outcome.SKIPPED, "message": "flaky"}
    run = make_run(2, tests={1: skipped})
    report = run.report()
    if not captured:
        tests = (report.record.tests[0], replace(report.record.tests[1], captures=()))
        report = replace(report, record=replace(report.record, tests=tests))
    record = _diff(reference, report)
    assert (record.passed, record.tests[1].outcome) == (False, Outcome.FAILED)
    accepted = _diff(reference, report, accepting_in=Path("/nowhere"))
    assert (accepted.passed, accepted.tests[1].differences[0].accepted) == (True, SKIPPED)
    assert _diff(report, report).passed


@pytest.mark.parametrize("status", [2, 3, 5])
def test_a_run_that_was_cut_short_is_no_good_one(make_run: MakeRun, reference: Report, status: int) -> None:
    record = _diff(reference, make_run(2).report(exit_status=status))
    assert record.exit_status == status
    assert "The run was cut short" in "\n".join(record_lines(record))


def test_a_new_test_is_news(make_run: MakeRun, reference: Report) -> None:
    record = _diff(reference, make_run(3).report())
    assert record.passed
    assert record.tests[2].differences == (DifferenceRecord("gained", "$", actual="payment GET /debug/2"),)


def test_only_findings_that_the_reference_did_not_have_fail(make_run: MakeRun) -> None:
    def report(*codes: str) -> Report:
        failed = {"outcome": Outcome.FAILED, "findings": tuple(finding(code) for code in codes)}
        return make_run(1, tests={0: failed}).report(exit_status=1)

    same = _diff(report("secrets.known"), report("secrets.known"))
    assert same.passed
    assert [held.allowed for held in same.tests[0].findings] == [KNOWN]
    twice = _diff(report("secrets.known"), report("secrets.known", "secrets.known"))
    assert [held.allowed for held in twice.tests[0].findings] == [KNOWN, None]
    assert not twice.passed
    other = _diff(report("secrets.known"), report("volume.items"))
    assert other.tests[0].outcome is Outcome.FAILED
    assert "[volume.items]" in other.tests[0].message
    # What a scenario allowed there, and no longer allows here, fails here.
    allowed = make_run(1, tests={0: {"findings": (finding(allowed="fine"),)}}).report()
    assert not _diff(allowed, report("secrets.known")).passed


def test_a_failed_assertion_is_a_regression_unless_it_failed_before(make_run: MakeRun, reference: Report) -> None:
    failed = {"outcome": Outcome.FAILED, "own_outcome": Outcome.FAILED, "message": "assert 1 == 2"}
    broken = make_run(2, tests={0: failed}).report(exit_status=1)
    assert not _diff(reference, broken).passed
    record = _diff(broken, make_run(2, tests={0: failed}).report(exit_status=1))
    assert record.passed
    assert record.tests[0].message == "failed in the reference run too: assert 1 == 2"


Change = Callable[[RunRecord], RunRecord]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda record: replace(record, coverage=()), "reference.endpoint"),
        (lambda record: replace(record, died=(("payment", 1),)), "reference.died"),
        (lambda record: replace(record, lost=(("payment", "E: x", None),)), "reference.lost-trace"),
        (lambda record: replace(record, findings=(finding("nothing-dropped"),)), "nothing-dropped"),
    ],
)
def test_the_run_as_a_whole_can_regress(make_run: MakeRun, reference: Report, change: Change, code: str) -> None:
    report = make_run(2).report()
    changed = replace(report, record=change(report.record))
    record = _diff(reference, changed)
    assert [held.code for held in record.findings if held.fails] == [code]
    assert record.exit_status == 1
    already = replace(reference, record=change(reference.record))
    assert _diff(already, changed).passed


def test_versions_that_changed_are_named(make_run: MakeRun, reference: Report) -> None:
    report = make_run(2).report()
    assert not any("Versions" in note for note in _diff(reference, report).notes)
    sdk = {"name": "sentry.python", "version": "3.0.0"}
    changed = [
        replace(
            held,
            content=Opened(held.body, envelope(error(trace_id=trace_id(0), sdk=sdk), trace_id=trace_id(0))),
        )
        if held.number == 1
        else held
        for held in report.arrivals
    ]
    notes = _diff(reference, replace(report, arrivals=tuple(changed))).notes
    assert any("payment: sentry.python unknown -> 3.0.0" in note for note in notes)


def test_a_reference_without_captures_is_refused(make_run: MakeRun, reference: Report) -> None:
    empty = replace(reference, record=replace(reference.record, captures=(), failure="payment did not start"))
    with pytest.raises(NothingToCompare, match="captured nothing: payment did not start"):
        _diff(empty, make_run(1).report())


def test_a_fleet_that_did_not_start_is_a_regression(make_run: MakeRun, reference: Report) -> None:
    run = make_run(2, tests={0: {"outcome": Outcome.ERROR, "own_outcome": Outcome.ERROR, "captures": ()}})
    run.summary = replace(run.summary, failure="port in use", coverage=(Coverage("payment", (), frozenset()),))
    run.summary = replace(run.summary, lost=(LostTrace("payment", "E: x", None),))
    record = _diff(reference, run.report(exit_status=1))
    assert not record.passed
    assert "The fleet did not start" in "\n".join(record_lines(record))
    assert isinstance(record.tests[0], TestRecord)
