from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.telemetry.events import ErrorEvent
from harness.verify.checks.registry import Allowance, check_names, judge_run, registered_checks, registered_run_checks
from harness.verify.finding import Severity
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from tests.samples import OTHER_TRACE, TRACE, arrival, envelope, error, json_item


def subject(**settings: Any) -> RunSubject:
    dropped = [{"reason": "before_send", "category": "error", "quantity": 1}]
    report = envelope(json_item("client_report", {"timestamp": 1000.0, "discarded_events": dropped}), trace_id=None)
    return RunSubject(
        (arrival(0, report), arrival(1, envelope(error()))),
        CheckSettings(**settings),
        services_by_project={"1": "game"},
        traces=frozenset({TRACE}),
    )


def found(**settings: Any) -> list[tuple[str, Severity]]:
    return [(finding.code, finding.severity) for finding in judge_run(subject(**settings)).findings]


def test_a_run_is_judged_by_the_run_checks() -> None:
    assert ("nothing-dropped.before-send", Severity.ERROR) in found()


def test_a_check_or_a_code_can_be_off() -> None:
    for code in ("nothing-dropped", "nothing-dropped.before-send"):
        assert not any(code.startswith("nothing-dropped") for code, _ in found(disable=frozenset({code})))


def test_severity_is_the_projects() -> None:
    severity = {"nothing-dropped.before-send": Severity.WARNING}
    assert ("nothing-dropped.before-send", Severity.WARNING) in found(severity=severity)


def test_an_allowance_is_kept_with_its_reason() -> None:
    needed, needless = Allowance("nothing-dropped", "a filter of ours"), Allowance("secrets", "none")
    verdict = judge_run(subject(), (needed, needless))
    assert [(finding.code, reason) for finding, reason in verdict.allowed] == [
        ("nothing-dropped.before-send", "a filter of ours")
    ]
    assert verdict.unused == (needless,)


def test_both_halves_of_a_check_have_one_name_and_both_run() -> None:
    halves = {"nothing-dropped", "secrets"}
    assert halves <= {check.name for check in registered_checks()}
    assert halves <= {check.name for check in registered_run_checks()}
    assert halves <= check_names()


def test_strays_are_what_no_scenario_started() -> None:
    lost = arrival(2, envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE))
    held = subject()
    whole = replace(held, arrivals=(*held.arrivals, lost))
    assert {parcel.trace_id for parcel in whole.strays} == {None, OTHER_TRACE}
    assert [view.trace_id for view in whole.views("event") if isinstance(view, ErrorEvent)] == [TRACE, OTHER_TRACE]
    assert [event.trace_id for event in whole.outside.events] == [OTHER_TRACE]
    assert {report.service for report in whole.outside.client_reports} == {"game"}
