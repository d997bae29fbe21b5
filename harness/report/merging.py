"""One report of many: what the shards of a run reported, as if they had been one run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from operator import itemgetter
from typing import Any

from harness.collector.inbox import Arrival
from harness.report.captured import CaptureRecord, EnvelopeRecord, ResourceRecord, ServiceRecord
from harness.report.faults import fault_file
from harness.report.record import CoverageRecord, Outcome, RunRecord, TestRecord
from harness.report.recording import body_file, envelope_file, refusal_file
from harness.report.report import Report

# From the best to the worst; what ended without any test (5) is no fault of the other shards.
_EXIT_STATUSES = (5, 0, 1, 2, 4, 3)
_OUTCOMES = (Outcome.SKIPPED, Outcome.PASSED, Outcome.NOT_RUN, Outcome.ERROR, Outcome.FAILED)


class NotMergeable(ValueError):
    """The reports do not belong together; the message says why."""


def merge(reports: Sequence[Report], *, complete: bool = False) -> Report:
    """One report of all, which depends neither on their order nor on which of them were merged before.

    Of a test that several of them ran, the worst outcome counts.

    Args:
        reports: reports of different executions with the same settings.
        complete: together they are all there is, so that an endpoint which none of them triggers is a failure.

    Raises:
        NotMergeable: an execution is in two of them, or they differ in version or settings.
    """
    _require_one_run(reports)
    records = [report.record for report in reports]
    numbered = [(at, held) for at, record in enumerate(records) for held in record.envelopes]
    numbered.sort(key=lambda entry: (entry[1].execution, entry[1].number))
    numbers = {(at, held.number): number for number, (at, held) in enumerate(numbered)}
    arrivals = [
        replace(reports[at].arrivals[held.number], number=number) for number, (at, held) in enumerate(numbered)
    ]
    instances = _Instances(records)
    tests, owned = _worst(records)
    lines: dict[str, int] = {}
    failed = [(at, own, held) for at, record in enumerate(records) for own, held in enumerate(record.faults)]
    failed.sort(key=lambda entry: (entry[2].execution, entry[2].at, _text(entry[2])))
    fault_numbers = {(at, own): number for number, (at, own, _) in enumerate(failed)}
    captures = [
        replace(
            _renumbered(capture, at, records[at], numbers, instances, lines),
            faults=tuple(fault_numbers[at, own] for own in capture.faults),
        )
        for at, capture in owned
    ]
    refused = sorted(
        (
            (held, refusal)
            for report in reports
            for held, refusal in zip(report.record.refusals, report.refusals, strict=True)
        ),
        key=lambda entry: (entry[0].execution, entry[0].file),
    )
    merged = RunRecord(
        harness=records[0].harness,
        created_at=max(record.created_at for record in records),
        exit_status=max((record.exit_status for record in records), key=_badness),
        failure=min(filter(None, (record.failure for record in records)), default=None),
        notes=tuple(sorted({note for record in records for note in record.notes})),
        executions=tuple(
            sorted((held for record in records for held in record.executions), key=lambda held: held.id)
        ),
        reference=max(filter(None, (record.reference for record in records)), default=None),
        items=dict(sum((Counter(record.items) for record in records), Counter())),
        coverage=_coverage(records),
        coverage_is_enforced=complete or any(record.coverage_is_enforced for record in records),
        lost=tuple(sorted((held for record in records for held in record.lost), key=str)),
        refusals=tuple(replace(held, file=refusal_file(number)) for number, (held, _) in enumerate(refused)),
        faults=tuple(
            replace(held, file=None if held.file is None else fault_file(number))
            for number, (_, _, held) in enumerate(failed)
        ),
        died=tuple(sorted(held for record in records for held in record.died)),
        findings=tuple(sorted((held for record in records for held in record.findings), key=_text)),
        allowed=tuple(sorted(held for record in records for held in record.allowed)),
        timing=_timing([record.timing for record in records]),
        settings=records[0].settings,
        tests=tests,
        captures=tuple(captures),
        envelopes=tuple(_moved(held, arrival) for (_, held), arrival in zip(numbered, arrivals, strict=True)),
        resources=instances.merged,
        log_lines=tuple(lines),
    )
    if merged.exit_status in (0, 5) and merged.has_problems:
        merged = replace(merged, exit_status=1)
    return Report(
        merged,
        tuple(arrivals),
        tuple(refusal for _, refusal in refused),
        tuple(reports[at].faults[own] for at, own, _ in failed),
    )


def _require_one_run(reports: Sequence[Report]) -> None:
    executions = Counter(held.id for report in reports for held in report.record.executions)
    if twice := [execution for execution, count in executions.items() if count > 1]:
        raise NotMergeable(f"the execution {twice[0]} is in {executions[twice[0]]} of them; give each report once")
    first = reports[0].record
    for record in (report.record for report in reports[1:]):
        if record.harness != first.harness:
            raise NotMergeable(f"one was written by version {first.harness} of the harness, one by {record.harness}")
        if record.settings != first.settings:
            raise NotMergeable("they were judged with different [checks] or [baseline] settings")


class _Instances:
    """The instances of all reports in one order, and the way there from each report's own."""

    def __init__(self, records: Sequence[RunRecord]) -> None:
        placed = [(held, (at, own)) for at, record in enumerate(records) for own, held in enumerate(record.resources)]
        placed.sort(key=lambda entry: _text(entry[0]))
        self.merged: tuple[ResourceRecord, ...] = tuple(held for held, _ in placed)
        self._positions = {place: number for number, (_, place) in enumerate(placed)}

    def position(self, record: int, own: int | None) -> int | None:
        return None if own is None else self._positions[record, own]


def _worst(records: Sequence[RunRecord]) -> tuple[tuple[TestRecord, ...], list[tuple[int, CaptureRecord]]]:
    """Each test as it ended worst, and its captures, each with the position of the report that tells it."""
    chosen: dict[str, tuple[tuple[int, str], int, TestRecord]] = {}
    for at, record in enumerate(records):
        for test in record.tests:
            rank = (_OUTCOMES.index(test.outcome), _text(test))
            if test.id not in chosen or rank > chosen[test.id][0]:
                chosen[test.id] = (rank, at, test)
    ordered = sorted(chosen.values(), key=lambda entry: (entry[2].file, entry[2].line, entry[2].id))
    held = [{capture.id: capture for capture in record.captures} for record in records]
    captures = [(at, held[at][capture]) for _, at, test in ordered for capture in test.captures]
    return tuple(test for _, _, test in ordered), captures


def _renumbered(
    capture: CaptureRecord,
    at: int,
    record: RunRecord,
    numbers: Mapping[tuple[int, int], int],
    instances: _Instances,
    lines: dict[str, int],
) -> CaptureRecord:
    def service(held: ServiceRecord) -> ServiceRecord:
        tail = (record.log_lines[line] for line in held.log_tail)
        return replace(
            held,
            log_tail=tuple(lines.setdefault(line, len(lines)) for line in tail),
            instance=instances.position(at, held.instance),
        )

    orphans = capture.orphans
    return replace(
        capture,
        envelopes=tuple(numbers[at, number] for number in capture.envelopes),
        orphans=None if orphans is None else (numbers[at, orphans[0]], numbers[at, orphans[1]]),
        services={name: service(held) for name, held in sorted(capture.services.items())},
    )


def _moved(held: EnvelopeRecord, arrival: Arrival) -> EnvelopeRecord:
    return replace(held, number=arrival.number, file=body_file(arrival), envelope=envelope_file(arrival))


def _coverage(records: Iterable[RunRecord]) -> tuple[CoverageRecord, ...]:
    endpoints: dict[str, set[str]] = {}
    covered: dict[str, set[str]] = {}
    for of in (of for record in records for of in record.coverage):
        endpoints.setdefault(of.service, set()).update(of.endpoints)
        covered.setdefault(of.service, set()).update(set(of.endpoints) - set(of.missing))
    return tuple(
        CoverageRecord(service, tuple(sorted(known)), tuple(sorted(known - covered[service])))
        for service, known in sorted(endpoints.items())
    )


def _timing(timings: Sequence[Mapping[str, Any]]) -> dict[str, float | str]:
    slowest = max(timings, key=itemgetter("slowest", "slowest_title"))
    longest = {name: max(timing[name] for timing in timings) for name in timings[0]}
    return longest | {"slowest_title": slowest["slowest_title"]}


def _badness(exit_status: int) -> tuple[int, int]:
    known = exit_status in _EXIT_STATUSES
    return (_EXIT_STATUSES.index(exit_status) if known else len(_EXIT_STATUSES)), exit_status


def _text(record: Any) -> str:
    return json.dumps(asdict(record), sort_keys=True)
