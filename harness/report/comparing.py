"""Judging a run against another one: what it has lost, changed and gained, as a record of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.report.evidence import EvidenceOfReport
from harness.report.record import BaselineState, DifferenceRecord, FindingRecord, Outcome, RunRecord, TestRecord
from harness.report.report import Report
from harness.report.wording import finding_line
from harness.verify.baseline.differences import Difference, compare, differences_text
from harness.verify.baseline.files import baselines_of, changed_versions
from harness.verify.baseline.normalising import shape_of, versions
from harness.verify.baseline.paths import Loosening
from harness.verify.baseline.settings import read_baseline_settings

KNOWN = "the reference run has it too"
ACCEPTED = "the committed baseline has it so"
REMOVED = "the test and its baseline were removed"
SKIPPED = "the test is skipped now"
_ADVICE = "If this is meant, run pytest --update-baselines, commit the baselines, and compare with --accept-baselines"


class NothingToCompare(ValueError):
    """The reference run captured nothing; the message says why."""


def judge_against(reference: Report, report: Report, *, accepting_in: Path | None = None) -> RunRecord:
    """The record of a run, with what differs from the reference run instead of what differs from its baselines.

    Only a regression is bad in it. What was wrong in the reference run already is shown, and allowed.

    Args:
        reference: the run to be held against, such as the main branch's.
        report: the run in question, such as a pull request's.
        accepting_in: the checkout of the run in question, if what a reviewer has seen there is no regression: what
            agrees with a baseline that the run was held against, a test that is gone together with its baseline, one
            that is skipped now.

    Raises:
        NothingToCompare: the reference run captured nothing.
    """
    if not reference.record.captures:
        why = reference.record.failure or "none of its tests triggered anything"
        raise NothingToCompare(f"the reference run captured nothing: {why}")
    judge = _Judge(reference, report, accepting_in=accepting_in)
    there = {test.id: test for test in reference.record.tests}
    here = {test.id: test for test in report.record.tests}
    tests = [judge.test(test, there.get(test.id)) for test in report.record.tests]
    tests += [judge.gone(test) for test in reference.record.tests if test.id not in here and test.captures]
    judged = replace(
        report.record,
        tests=tuple(sorted(tests, key=lambda test: (test.file, test.line, test.id))),
        findings=(
            *_with_known(report.record.findings, reference.record.findings),
            *_of_the_run(reference.record, report.record),
        ),
        reference=reference.record.created_at,
        died=(),
        coverage_is_enforced=False,
        notes=(*report.record.notes, *judge.notes()),
    )
    # 0 and 1 are pytest's verdicts; a run that was cut short is no better than any other.
    was_complete = report.record.exit_status in (0, 1)
    return replace(judged, exit_status=int(judged.has_problems) if was_complete else report.record.exit_status)


class _Judge:
    def __init__(self, reference: Report, report: Report, *, accepting_in: Path | None) -> None:
        self._reference = reference.record
        self._there = EvidenceOfReport(reference)
        self._here = EvidenceOfReport(report)
        self._accepting_in = accepting_in
        self._loosened = tuple(
            loosening
            for record in (reference.record, report.record)
            for loosening in read_baseline_settings(record.settings["baseline"]).loosened
        )
        self._versions: tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]] = ({}, {})

    def test(self, test: TestRecord, before: TestRecord | None) -> TestRecord:
        """A test as it is to be judged, given what it was in the reference run."""
        differences, accepted = self._differences(test, before)
        findings = tuple(_with_known(test.findings, before.findings if before else ()))
        failing = [finding_line(finding) for finding in findings if finding.fails]
        regressions = [] if accepted else [found for found in differences if found.kind != "gained"]
        problems = ["checks found what they did not find in the reference run:", *failing] if failing else []
        if regressions:
            what = "what was captured differs from the reference run:"
            problems.append(differences_text(what, regressions, _ADVICE))
        outcome, message = _outcome(test, before, "\n".join(problems))
        records = tuple(
            DifferenceRecord(**asdict(found), accepted=accepted if found.kind != "gained" else None)
            for found in differences
        )
        return replace(test, outcome=outcome, message=message, findings=findings, differences=records)

    def gone(self, test: TestRecord) -> TestRecord:
        """A test of the reference run that this run does not have."""
        what = ", ".join(self._there.capture(capture).evidence.title for capture in test.captures)
        message, accepted = "the reference run has this test, and this run does not", None
        if self._accepting_in is not None:
            if any(path.exists() for path in baselines_of(test.id, self._accepting_in)):
                message += "; its baseline is still there: delete it too if this is meant"
            else:
                accepted = REMOVED
        return replace(
            test,
            outcome=Outcome.SKIPPED if accepted else Outcome.NOT_RUN,
            message=message,
            captures=(),
            findings=(),
            differences=(DifferenceRecord("lost", "$", what, accepted=accepted),),
        )

    def notes(self) -> Iterator[str]:
        """What was compared, and with which versions."""
        when = datetime.fromtimestamp(self._reference.created_at, UTC)
        yield f"Compared with the run of {when:%Y-%m-%d %H:%M} UTC: what was wrong there already fails nothing here."
        if changed := changed_versions(*self._versions):
            yield f"Versions that are other than in the reference run: {'; '.join(changed)}."

    def _differences(self, test: TestRecord, before: TestRecord | None) -> tuple[Sequence[Difference], str | None]:
        """What differs, and why none of it is a regression; None when nobody says so."""
        there = [self._there.capture(capture) for capture in (before.captures if before else ())]
        here = [self._here.capture(capture) for capture in test.captures]
        if test.own_outcome is Outcome.SKIPPED:
            if before is None or not there or before.own_outcome is Outcome.SKIPPED:
                return (), None
            # It may have been triggered all the same, but what it demands was not asked.
            titles = ", ".join(capture.evidence.title for capture in there)
            return [Difference("lost", "$", titles, None)], SKIPPED if self._accepting_in else None
        if before is None or not there or not here:
            titles = ", ".join(capture.evidence.title for capture in (there or here))
            whole = [Difference("lost", "$", titles, None)] if there else [Difference("gained", "$", None, titles)]
            return (whole if titles else ()), None
        for seen, captured in zip(self._versions, (there, here), strict=True):
            for capture in captured:
                for service, held in versions(capture).items():
                    seen.setdefault(service, {}).update(held)
        differences = compare(
            shape_of(there, Path(self._there.execution(before.captures[0]).root)),
            shape_of(here, Path(self._here.execution(test.captures[0]).root)),
            [*self._loosened, *(Loosening(*held) for held in dict.fromkeys((*before.loosened, *test.loosened)))],
        )
        agrees = test.baseline is BaselineState.COMPARED and not any(held.is_regression for held in test.differences)
        return differences, ACCEPTED if self._accepting_in and agrees else None


def _outcome(test: TestRecord, before: TestRecord | None, problems: str) -> tuple[Outcome, str]:
    if not test.own_outcome.is_bad:
        outcome = Outcome.FAILED if problems else test.own_outcome
        return outcome, problems or (test.message if outcome is Outcome.SKIPPED else "")
    if before is not None and before.own_outcome.is_bad and not problems:
        return Outcome.SKIPPED, f"failed in the reference run too: {test.message}"
    return test.own_outcome, "\n".join(filter(None, (test.message, problems)))


def _of_the_run(before: RunRecord, record: RunRecord) -> Iterator[FindingRecord]:
    covered = {f"{of.service} {endpoint}" for of in before.coverage for endpoint in of.endpoints}
    covered -= set(before.uncovered)
    still = {f"{of.service} {endpoint}" for of in record.coverage for endpoint in of.endpoints} - set(
        record.uncovered
    )
    for endpoint in sorted(covered - still):
        yield FindingRecord("reference.endpoint", f"no scenario triggers {endpoint} any more, or it is gone", "error")
    for service, code in sorted((Counter(record.died) - Counter(before.died)).elements()):
        yield FindingRecord("reference.died", f"{service} died with exit code {code}", "error", service=service)
    lost = Counter(service for service, _, _ in record.lost)
    for service, more in sorted((lost - Counter(service for service, _, _ in before.lost)).items()):
        message = f"{more} more errors than in the reference run arrived outside of every scenario's trace"
        yield FindingRecord("reference.lost-trace", message, "error", service=service)


def _with_known(findings: Iterable[FindingRecord], before: Iterable[FindingRecord]) -> Iterator[FindingRecord]:
    known = Counter(_identity(finding) for finding in before if finding.fails)
    for finding in findings:
        if finding.fails and known[_identity(finding)] > 0:
            known[_identity(finding)] -= 1
            yield replace(finding, allowed=KNOWN)
        else:
            yield finding


def _identity(finding: FindingRecord) -> tuple[str | None, ...]:
    # Messages hold ids; what stays is which check, who and where.
    return finding.code, finding.service, finding.path
