"""One wording for what several reports say."""

from __future__ import annotations

from harness.report.record import UNFINISHED, FindingRecord, Outcome, RunRecord, TestRecord
from harness.telemetry.shape import one_line

_REASONS = 3


def finding_line(finding: FindingRecord) -> str:
    """A finding on one line: code, who, what, where, and why it is allowed if it is."""
    place = " ".join(part for part in (finding.item, f"at {finding.path}" if finding.path else None) if part)
    where = f" ({place})" if place else ""
    who = f"{finding.service}: " if finding.service else ""
    weight = "" if finding.fails else " [allowed]" if finding.allowed else " [warning]"
    reason = f" -- {finding.allowed}" if finding.allowed else ""
    return f"[{finding.code}]{weight} {who}{finding.message}{where}{reason}"


def first_line(text: str) -> str:
    """What pytest says is wrong, on one line: the first of its lines marked ``E``, else the first with anything."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = next((line[1:].strip() for line in lines if line.startswith("E  ")), None)
    return marked or next(iter(lines), "").strip()


def why(test: TestRecord) -> str:
    """Why a test is bad, on one line: what it says itself, or the findings and differences that make it so."""
    if test.own_outcome is not Outcome.PASSED or not test.outcome.is_bad:
        return first_line(test.message)
    reasons = [f"[{finding.code}] {finding.message}" for finding in test.findings if finding.fails]
    reasons += [f"{held.kind} {held.path}" for held in test.differences if held.is_regression]
    # What was lost or changed is in a list of its own; a heading without it would say nothing.
    more = f"; and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
    return "; ".join(one_line(reason, 200) for reason in reasons[:_REASONS]) + more or first_line(test.message)


def problems_of_the_run(record: RunRecord) -> list[str]:
    """What is wrong with a run beside its tests, a line each; that its fleet did not start is told elsewhere."""
    problems = [finding_line(finding) for finding in record.findings if finding.fails]
    problems += [f"{service} died with exit code {code}" for service, code in record.died]
    if record.coverage_is_enforced:
        problems += [f"no scenario triggers {endpoint}" for endpoint in record.uncovered]
    return problems


def headline(record: RunRecord) -> str:
    """The verdict in a sentence."""
    if record.failure is not None:
        return "The fleet did not start, so nothing was verified."
    if record.exit_status == UNFINISHED:
        return "The run was cut short: it was killed before it came to its end, so there is no verdict."
    counted = record.tests_by_outcome
    bad = counted["failed"] + counted["error"]
    total = len(record.tests)
    if record.reference is not None and record.exit_status not in (0, 1):
        return f"The run was cut short: pytest ended with exit status {record.exit_status}."
    if record.reference is not None:
        regressed = bad + counted["not run"]
        if regressed:
            return f"{regressed} of {total} tests regressed against the reference run."
        if any(finding.fails for finding in record.findings):
            return "No test regressed against the reference run, but the run as a whole did."
        return f"No regression: {counted['passed']} tests are as good as in the reference run."
    if bad:
        return f"{bad} of {total} tests failed."
    if counted["not run"]:
        return f"The run ended early: {counted['not run']} of {total} tests did not run."
    if any(finding.fails for finding in record.findings):
        return "Every test passed, but checks over the whole run failed."
    if record.died:
        return "Every test passed, but services died although no scenario expects it."
    if record.uncovered and record.coverage_is_enforced:
        return f"Every test passed, but {len(record.uncovered)} endpoints have no scenario."
    if not record.passed:
        return f"The tests did not fail, but pytest ended with exit status {record.exit_status}."
    return f"All {counted['passed']} tests that ran passed."
