from __future__ import annotations

from harness.run.summary import Coverage, LostTrace, RunSummary, Timing
from harness.run.summary_text import summary_lines

COVERED = Coverage("payment", (("GET", "/debug/crash"), ("GET", "/debug/leak")), frozenset({("GET", "/debug/crash")}))


def text(summary: RunSummary) -> str:
    return "\n".join(line for line, _ in summary_lines(summary))


def test_what_was_verified() -> None:
    timing = Timing(1.5, 2.0, "payment GET /debug/crash", 2.5)
    said = text(RunSummary(2, 7, {"event": 2, "span": 3}, (COVERED,), timing=timing))
    assert "captured    7 envelopes: 2 event, 3 span" in said
    assert "payment: 1 of 2 debug endpoints" in said
    assert "slowest scenario 2.0 s: payment GET /debug/crash" in said
    assert "lost traces none" in said


def test_uncovered_endpoints_are_listed_only_where_they_fail_the_run() -> None:
    assert "payment GET /debug/leak" in text(RunSummary(1, 0, coverage=(COVERED,)))
    assert "payment GET /debug/leak" not in text(RunSummary(1, 0, coverage=(COVERED,), coverage_is_enforced=False))


def test_lost_traces_and_refusals_are_listed() -> None:
    said = text(RunSummary(1, 1, lost=(LostTrace("payment", "Error: x", "abc"),), refusals=("400 malformed",)))
    assert "payment: Error: x (trace abc)" in said
    assert "400 malformed" in said


def test_a_fleet_that_did_not_start_is_all_there_is_to_say() -> None:
    said = text(RunSummary(1, 0, failure="payment died\nno licence"))
    assert said.splitlines() == ["The fleet did not start:", "payment died", "no licence"]


def test_a_service_that_died_is_named() -> None:
    assert "payment ended with exit code 139" in text(RunSummary(1, 1, died=(("payment", 139),)))


def test_allowed_findings_are_counted() -> None:
    summary = RunSummary(1, 1, allowed=("[volume.items] x -- a flood",))
    said = "\n".join(line for line, _ in summary_lines(summary, allowed=["[volume.items] x -- a flood"]))
    assert "allowed     2 findings:" in said
    assert "2 x [volume.items] x -- a flood" in said
