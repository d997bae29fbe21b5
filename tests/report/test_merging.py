from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

from harness.collector import faults
from harness.collector.ingest import Refusal
from harness.collector.injecting import Injection
from harness.collector.messages import Request
from harness.report.evidence import EvidenceOfReport
from harness.report.merging import NotMergeable, merge
from harness.report.reading import read_report
from harness.report.record import Outcome
from harness.report.report import Report
from harness.report.writing import write_report
from harness.run.summary import Coverage
from harness.verify.settings import CheckSettings
from tests.report.conftest import MakeRun, finding

ENDPOINTS = (("GET", "/debug/0"), ("GET", "/debug/1"), ("GET", "/debug/2"))


@pytest.fixture
def shards(make_run: MakeRun) -> list[Report]:
    """Three shards of one run: each has other scenarios, its own services and its own orphans."""
    return [_shard(make_run, number) for number in range(3)]


def _shard(make_run: MakeRun, number: int) -> Report:
    run = make_run(4, message=f"boom of shard {number}", orphans=number + 1)
    own = slice(number, number + 1)
    refusal = Refusal(7.0, "POST", "/api/1/envelope/", "", (), b"{" * number, 400, f"bad {number}", "payment")
    request = Request(8.0, "POST", "/api/2/envelope/", "", (), b"}" * number)
    broken = Injection(8.0, faults.hang(service="payment"), "payment", "2", request)
    unreachable = Injection(7.0, faults.dns_failure(), "payment", "2")
    seen = replace(run.harvest.seen, refusals=(refusal,), faults=(unreachable, broken))
    gathered = tuple(
        (scenario, replace(evidence, faults=(broken,))) for scenario, evidence in run.harvest.gathered[own]
    )
    run.harvest = replace(run.harvest, seen=seen, gathered=gathered)
    run.tests = run.tests[own]
    coverage = (Coverage("payment", ENDPOINTS, frozenset({ENDPOINTS[number]})),)
    run.summary = replace(run.summary, coverage=coverage, coverage_is_enforced=False)
    return run.report()


def test_the_order_of_shards_and_how_they_are_grouped_makes_no_difference(shards: list[Report]) -> None:
    expected = merge(shards)
    for order in itertools.permutations(shards):
        assert merge(order) == expected
        first, second, third = order
        assert merge([merge([first, second]), third]) == expected
        assert merge([first, merge([second, third])]) == expected
    assert merge([expected]) == expected


def test_each_capture_keeps_the_evidence_of_its_own_shard(shards: list[Report]) -> None:
    merged = EvidenceOfReport(merge(shards))
    for shard in shards:
        before = EvidenceOfReport(shard)
        (capture,) = shard.record.captures
        then, now = before.capture(capture.id).evidence, merged.capture(capture.id).evidence
        assert [arrival.body for arrival in now.arrivals] == [arrival.body for arrival in then.arrivals]
        assert [arrival.body for arrival in now.orphans] == [arrival.body for arrival in then.orphans]
        assert now.services == then.services
        assert now.response == then.response
        assert now.faults == then.faults != ()
        assert len(now.orphans) == sum(held.orphan for held in shard.record.envelopes)


def test_a_merged_report_is_written_and_read_like_any_other(shards: list[Report], tmp_path: Path) -> None:
    random.Random(1).shuffle(shards)
    merged = merge(shards)
    write_report(merged, tmp_path)
    assert read_report(tmp_path) == merged
    assert [len(refusal.body) for refusal in merged.refusals] != []
    by_execution = {shard.record.executions[0].id: shard.refusals[0] for shard in shards}
    assert [by_execution[held.execution] for held in merged.record.refusals] == list(merged.refusals)


def test_endpoints_are_covered_by_any_shard_and_missed_by_none_only_when_these_are_all(shards: list[Report]) -> None:
    assert merge(shards).record.uncovered == ()
    two = merge(shards[:2])
    assert two.record.uncovered == ("payment GET /debug/2",)
    assert two.record.passed
    complete = merge(shards[:2], complete=True)
    assert (complete.record.exit_status, complete.record.coverage_is_enforced) == (1, True)
    assert merge(shards, complete=True).record.passed


def test_of_a_test_that_two_shards_ran_the_worst_outcome_counts(make_run: MakeRun) -> None:
    good = make_run(2).report()
    bad = make_run(2, tests={1: {"outcome": Outcome.FAILED, "findings": (finding(),)}}).report(exit_status=1)
    for order in ([good, bad], [bad, good]):
        merged = merge(order).record
        assert [test.outcome for test in merged.tests] == [Outcome.PASSED, Outcome.FAILED]
        assert merged.exit_status == 1
        assert len(merged.captures) == 2


def test_what_went_wrong_in_any_shard_is_in_the_whole(shards: list[Report]) -> None:
    wrong = replace(
        shards[2].record,
        died=(("payment", 9),),
        lost=(("payment", "E: x", None),),
        findings=(finding(),),
        failure="no",
        allowed=("fine",),
    )
    merged = merge([*shards[:2], replace(shards[2], record=wrong)]).record
    assert (merged.died, merged.lost, merged.findings) == (wrong.died, wrong.lost, wrong.findings)
    assert (merged.failure, merged.allowed, merged.exit_status) == ("no", ("fine",), 1)


def test_checks_over_a_run_look_at_each_execution_for_itself(shards: list[Report]) -> None:
    evidence = EvidenceOfReport(merge(shards))
    for shard in shards:
        (execution,) = shard.record.executions
        subject = evidence.subject(execution, CheckSettings())
        assert [arrival.body for arrival in subject.arrivals] == [arrival.body for arrival in shard.arrivals]
        assert subject.refusals == shard.refusals
        assert subject.secrets == tuple(shard.record.captures[0].canaries.items())


@pytest.mark.parametrize(
    ("statuses", "expected"), [((0, 5), 0), ((5, 5), 5), ((0, 1), 1), ((1, 2), 2), ((3, 2), 3), ((2, 4), 4)]
)
def test_the_worst_exit_status_counts_but_an_empty_shard_is_no_failure(
    make_run: MakeRun, statuses: tuple[int, int], expected: int
) -> None:
    reports = []
    for status in statuses:
        run = make_run(1)
        run.summary = replace(run.summary, coverage=())
        reports.append(run.report(exit_status=status))
    assert merge(reports).record.exit_status == expected


def test_what_does_not_belong_together_is_refused(make_run: MakeRun) -> None:
    report = make_run(1).report()
    with pytest.raises(NotMergeable, match="give each report once"):
        merge([report, report])
    other = make_run(1).report()
    with pytest.raises(NotMergeable, match="different"):
        merge([report, replace(other, record=replace(other.record, settings={"checks": {}, "baseline": {}}))])
    with pytest.raises(NotMergeable, match=r"version .* of the harness, one by 9"):
        merge([report, replace(other, record=replace(other.record, harness="9"))])
