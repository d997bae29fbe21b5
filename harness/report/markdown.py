"""``summary.md``: what a reviewer of a pull request wants to know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from harness.report.captured import CaptureRecord
from harness.report.record import DifferenceRecord, FindingRecord, RunRecord, TestRecord
from harness.report.wording import headline, why
from harness.telemetry.shape import visible
from harness.verify.baseline.differences import short_text

_LISTED = 50
_MEANINGFUL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@])")


def summary_markdown(record: RunRecord) -> str:
    """The verdict, what failed and why, differences from the baseline by service, numbers.

    Everything that a service sent is escaped: it can neither become HTML or a link, nor mention anybody.

    Args:
        record: the run.
    """
    captures = {capture.id: capture for capture in record.captures}
    parts = [
        _verdict(record),
        _numbers(record),
        _failures(record.tests, captures),
        _differences(record, captures),
        _run_problems(record),
        _warnings(record),
        "Details: `index.html` in the report.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str, limit: int = 300) -> str:
    """Text on one line of Markdown, also in a table, that reads as it is and does nothing."""
    line = visible(" ".join(text.split()))
    line = line if len(line) <= limit else line[: limit - 3] + "..."
    # The zero-width joiner between keeps bare URLs from becoming links.
    return _MEANINGFUL.sub(r"\\\1", line).replace("://", ":\u200d//").replace("www.", "www\u200d.")


def _verdict(record: RunRecord) -> str:
    mark = "✅" if record.passed else "❌"
    failure = "" if record.failure is None else f"\n\n{_block(record.failure)}"
    notes = "".join(f"\n\n{escaped(note, 1000)}" for note in record.notes)
    return f"## {mark} Sentry verification\n\n{headline(record)}{failure}{notes}"


def _numbers(record: RunRecord) -> str:
    counted = record.tests_by_outcome
    tests = ", ".join(f"{count} {outcome}" for outcome, count in counted.items() if count)
    covered = sum(len(of.endpoints) - len(of.missing) for of in record.coverage)
    endpoints = sum(len(of.endpoints) for of in record.coverage)
    weights = Counter(
        "allowed" if finding.allowed else "failing" if finding.fails else "warnings"
        for finding in record.all_findings
    )
    findings = ", ".join(f"{count} {weight}" for weight, count in sorted(weights.items()))
    kinds = Counter(difference.kind for test in record.tests for difference in test.differences)
    rows = [
        ("Tests", tests or "none"),
        ("Debug endpoints covered", f"{covered} of {endpoints}" if endpoints else "no manifest"),
        ("Envelopes captured", str(len(record.envelopes))),
        ("Findings", findings or "none"),
        (
            f"Differences from the {record.compared_with}",
            ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds)) or "none",
        ),
        ("Lost traces", str(len(record.lost))),
        ("Refused requests", str(len(record.refused_telemetry))),
        *([("Faults injected on purpose", str(len(record.faults)))] if record.faults else []),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _failures(tests: Iterable[TestRecord], captures: dict[str, CaptureRecord]) -> str:
    bad = [test for test in tests if test.outcome.is_bad]
    if not bad:
        return ""
    rows = [
        f"| {escaped(_title(test, captures))} | {escaped(f'{test.file}:{test.line}')} | "
        f"{test.outcome} | {escaped(why(test), 600)} |"
        for test in bad[:_LISTED]
    ]
    return "\n".join(["### Failed", "", "| scenario | test | | why |", "|---|---|---|---|", *rows, *_more(len(bad))])


def _differences(record: RunRecord, captures: dict[str, CaptureRecord]) -> str:
    by_service: dict[str, list[tuple[TestRecord, DifferenceRecord]]] = {}
    for test in record.tests:
        for difference in test.differences:
            service = captures[test.captures[0]].service if test.captures else "no longer captured"
            by_service.setdefault(service, []).append((test, difference))
    if not by_service:
        return ""
    lines = [f"### Differences from the {record.compared_with}"]
    for service, found in sorted(by_service.items()):
        kinds = Counter(difference.kind for _, difference in found)
        counted = ", ".join(f"{kinds[kind]} {kind}" for kind in ("lost", "changed", "gained") if kinds[kind])
        lines += ["", f"**{escaped(service)}**: {counted}", "", "| | scenario | path | expected | actual |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| {_kind(difference)} | {escaped(_title(test, captures))} | {escaped(difference.path)} | "
            f"{_value(difference.expected)} | {_value(difference.actual)} |"
            for test, difference in found[:_LISTED]
        ]
        lines += _more(len(found))
    return "\n".join(lines)


def _kind(difference: DifferenceRecord) -> str:
    return difference.kind if difference.accepted is None else f"{difference.kind}: {escaped(difference.accepted)}"


def _run_problems(record: RunRecord) -> str:
    lines = [_finding(finding) for finding in record.findings if finding.fails]
    if record.coverage_is_enforced:
        lines += [f"* no scenario triggers {escaped(endpoint)}" for endpoint in record.uncovered]
    lines += [f"* {escaped(service)} died with exit code {code}" for service, code in record.died]
    lines += [f"* refused: {escaped(refusal)}" for refusal in record.refused_telemetry[:_LISTED]]
    lines += [f"* lost trace: {escaped(service)}: {escaped(title)}" for service, title, _ in record.lost[:_LISTED]]
    return "\n".join(["### The run as a whole", "", *lines]) if lines else ""


def _warnings(record: RunRecord) -> str:
    counted = Counter(
        _finding(finding) for finding in record.all_findings if not finding.fails and not finding.allowed
    )
    if not counted:
        return ""
    lines = [f"{line} ({count} times)" if count > 1 else line for line, count in counted.most_common(_LISTED)]
    return "\n".join(
        [f"<details><summary>{counted.total()} warnings that fail nothing</summary>", "", *lines, "", "</details>"]
    )


def _finding(finding: FindingRecord) -> str:
    who = f"{finding.service}: " if finding.service else ""
    return f"* `{finding.code}` {escaped(who + finding.message)}"


def _title(test: TestRecord, captures: dict[str, CaptureRecord]) -> str:
    return captures[test.captures[0]].title if test.captures else test.id.split("::", 1)[-1]


def _value(value: object) -> str:
    return "" if value is None else escaped(short_text(value, 120))


def _block(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _more(count: int) -> Iterator[str]:
    if count > _LISTED:
        yield f"\nand {count - _LISTED} more"
