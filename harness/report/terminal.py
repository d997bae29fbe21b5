"""The verdict over a report, for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.report.record import RunRecord, TestRecord
from harness.report.wording import headline, problems_of_the_run
from harness.telemetry.shape import visible


def record_lines(record: RunRecord) -> Iterator[str]:
    """What is bad and why, the differences in numbers, what a reader has to know, the verdict.

    Args:
        record: the run.
    """
    yield from map(visible, _lines(record))


def _lines(record: RunRecord) -> Iterator[str]:
    titles = {capture.id: capture.title for capture in record.captures}
    for test in record.tests:
        if test.outcome.is_bad:
            yield f"{str(test.outcome).upper()} {_title(test, titles)} ({test.file}:{test.line})"
            yield from (f"  {line}" for line in (test.message or "it did not run").splitlines())
    if record.failure is not None:
        yield from ("The fleet did not start:", *(f"  {line}" for line in record.failure.splitlines()))
    yield from problems_of_the_run(record)
    counted = Counter(
        (difference.kind, difference.accepted) for test in record.tests for difference in test.differences
    )
    for (kind, accepted), count in sorted(counted.items(), key=str):
        yield f"{count} {kind} against the {record.compared_with}" + (f": {accepted}" if accepted else "")
    yield from record.notes
    yield f"{'Passed' if record.passed else 'Failed'}: {headline(record)}"


def _title(test: TestRecord, titles: dict[str, str]) -> str:
    return titles[test.captures[0]] if test.captures else test.id
