"""Judging a report again: every check and every baseline, without any service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from harness.report.evidence import EvidenceOfReport
from harness.report.record import (
    BaselineState,
    DifferenceRecord,
    ExecutionRecord,
    FindingRecord,
    Outcome,
    RunRecord,
    TestRecord,
)
from harness.report.recording import finding_record
from harness.report.report import Report
from harness.report.spreading import spread
from harness.verify.baseline.differences import compare, differences_text
from harness.verify.baseline.files import UnreadableBaseline, baseline_of, read_shape
from harness.verify.baseline.normalising import shape_of
from harness.verify.baseline.paths import Loosening
from harness.verify.baseline.settings import BaselineSettings
from harness.verify.capture import Capture
from harness.verify.checks.registry import Allowance, Verdict, judge, judge_run
from harness.verify.finding import findings_text
from harness.verify.settings import CheckSettings

_ADVICE = "If this is meant, accept it with: pytest --update-baselines"


class NoBaselines(ValueError):
    """None of the baselines that the report was held against is there; the message says what to do."""


def judge_again(report: Report, checks: CheckSettings, baseline: BaselineSettings, root: Path) -> RunRecord:
    """The record that the run would have with these settings and these baselines.

    What the tests themselves demand is not repeated: one that failed by it has failed.

    Args:
        report: the report.
        checks: settings of the checks.
        baseline: settings of the baselines.
        root: what the tests' files are relative to, so that their baselines are found.

    Raises:
        NoBaselines: baselines are on, and there is none at all below `root`.
    """
    _require_some_baseline(report.record, baseline, root)
    evidence = EvidenceOfReport(report)
    allowed = sorted({held for test in report.record.tests for held in test.allowed})
    allowances = [Allowance(*each) for each in allowed]

    def judged_part(part: ExecutionRecord | TestRecord) -> Verdict | TestRecord:
        if isinstance(part, TestRecord):
            return _judge_test(part, evidence, checks, baseline, root)
        return judge_run(evidence.subject(part, checks), allowances)

    # Whole runs first: they take longest.
    of: list[ExecutionRecord | TestRecord] = [*report.record.executions, *report.record.tests]
    parts = list(spread(judged_part, of))
    verdicts = [part for part in parts if isinstance(part, Verdict)]
    tests = tuple(part for part in parts if isinstance(part, TestRecord))
    judged = replace(
        report.record,
        tests=tests,
        findings=tuple(finding_record(finding) for verdict in verdicts for finding in verdict.findings),
        allowed=tuple(f"{finding} -- {reason}" for verdict in verdicts for finding, reason in verdict.allowed),
        notes=(*report.record.notes, *_notes(report.record)),
    )
    # 0 and 1 are pytest's verdicts; anything else says that the run itself was cut short, which no check can mend.
    was_complete = report.record.exit_status in (0, 1)
    return replace(judged, exit_status=int(judged.has_problems) if was_complete else report.record.exit_status)


def _judge_test(
    test: TestRecord, evidence: EvidenceOfReport, checks: CheckSettings, baseline: BaselineSettings, root: Path
) -> TestRecord:
    if not test.captures:
        return test
    captures = [evidence.capture(capture_id) for capture_id in test.captures]
    allowances = [Allowance(*allowed) for allowed in test.allowed]
    verdicts = [(capture, judge(capture, checks, allowances)) for capture in captures]
    failing = [finding for _, verdict in verdicts for finding in verdict.findings if finding.severity == "error"]
    problems = [findings_text(failing)] if failing else []
    state: BaselineState = BaselineState.NONE
    differences: tuple[DifferenceRecord, ...] = ()
    if baseline.enabled:
        state, differences, problem = _compare(test, captures, evidence.root(test.captures[0]), baseline, root)
        problems += [problem] if problem else []
    return replace(
        test,
        outcome=Outcome.FAILED if problems and test.own_outcome is Outcome.PASSED else test.own_outcome,
        message=test.message if test.own_outcome is not Outcome.PASSED else "\n".join(problems),
        findings=_records(verdicts),
        differences=differences,
        baseline=state,
    )


def _compare(
    test: TestRecord, captures: Sequence[Capture], recorded_at: Path, baseline: BaselineSettings, root: Path
) -> tuple[BaselineState, tuple[DifferenceRecord, ...], str | None]:
    path = baseline_of(test.id, root)
    try:
        expected = read_shape(path)
    except UnreadableBaseline as problem:
        return BaselineState.MISSING, (), str(problem)
    if expected is None:
        return BaselineState.MISSING, (), f"there is no baseline {path}"
    loosened = [*baseline.loosened, *(Loosening(*held) for held in test.loosened)]
    differences = compare(expected, shape_of(captures, recorded_at), loosened)
    failing = [found for found in differences if found.kind != "gained" or baseline.gained_fails]
    what = f"what was captured differs from the baseline {path}:"
    return (
        BaselineState.COMPARED,
        tuple(DifferenceRecord(**asdict(found)) for found in differences),
        differences_text(what, failing, _ADVICE) if failing else None,
    )


def _records(verdicts: Sequence[tuple[Capture, Verdict]]) -> tuple[FindingRecord, ...]:
    return tuple(
        finding_record(finding, capture=capture.trace_id, allowed=reason)
        for capture, verdict in verdicts
        for finding, reason in [*((found, None) for found in verdict.findings), *verdict.allowed]
    )


def _require_some_baseline(record: RunRecord, baseline: BaselineSettings, root: Path) -> None:
    captured = [test for test in record.tests if test.captures]
    if captured and baseline.enabled and not any(baseline_of(test.id, root).exists() for test in captured):
        raise NoBaselines(
            f"none of the report's tests has a baseline below {root.absolute()}; name the checkout with --root, "
            "or leave baselines out with --no-baselines"
        )


def _notes(record: RunRecord) -> list[str]:
    withheld = sorted({name for capture in record.captures for name in capture.withheld})
    failed = sum(test.own_outcome in (Outcome.FAILED, Outcome.ERROR) for test in record.tests)
    notes = ["Judged again from the report: checks and baselines were repeated, requests and assertions were not."]
    if failed:
        notes.append(f"{failed} tests failed by their own assertions when they ran, and stay failed.")
    if withheld:
        notes.append(f"Not searched for again, because no report holds their values: {', '.join(withheld)}.")
    return notes
