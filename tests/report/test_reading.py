from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.collector import faults
from harness.collector.arrival import Opened
from harness.collector.ingest import Refusal
from harness.collector.injecting import Injection
from harness.collector.messages import Request
from harness.report.evidence import EvidenceOfReport
from harness.report.reading import UnreadableReport, read_record, read_report
from harness.report.record import DifferenceRecord, Outcome
from harness.report.writing import write_report
from harness.wire.trace import DynamicSamplingContext
from tests.report.conftest import MakeRun, finding
from tests.samples import envelope, error


def test_a_report_is_read_as_it_was_written(make_run: MakeRun, tmp_path: Path) -> None:
    tests = {
        1: {"outcome": Outcome.FAILED, "findings": (finding(),), "differences": (DifferenceRecord("lost", "$"),)}
    }
    run = make_run(3, tests=tests)
    refusal = Refusal(7.0, "POST", "/api/1/envelope/", "", (("host", "x"),), b"\x00{", 400, "no envelope", "payment")
    request = Request(8.0, "POST", "/api/2/envelope/", "a=b", (("host", "x"),), b"\xff}")
    limit = faults.rate_limited("60:error:key", service="payment#1", requests=2, seconds=1.5)
    injections = (
        Injection(8.0, limit, "payment", "2", request, "e" * 32, ("event", "attachment"), {"error": 1}, kept=False),
        Injection(7.0, faults.wrong_certificate(), "payment", "2"),
    )
    run.harvest = replace(run.harvest, seen=replace(run.harvest.seen, refusals=(refusal,), faults=injections))
    report = run.report(exit_status=1)
    write_report(report, tmp_path)
    assert read_report(tmp_path) == report
    assert report.refusals == (refusal,)
    assert read_report(tmp_path).faults == injections
    assert report.record.refused_telemetry == (str(refusal),)


def test_the_evidence_of_each_capture_comes_back_but_for_withheld_secrets(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(25, orphans=4)
    announced = DynamicSamplingContext("a" * 32, "key", sample_rate="1")
    gathered = tuple(
        (scenario, replace(evidence, marker="scn-1", sampling_context=announced))
        for scenario, evidence in run.harvest.gathered
    )
    run.harvest = replace(run.harvest, gathered=gathered)
    write_report(run.report(), tmp_path)
    report = read_report(tmp_path)
    evidence_of_report = EvidenceOfReport(report)
    for capture, (_, evidence) in zip(report.record.captures, gathered, strict=True):
        expected = replace(evidence, secrets={"the trigger's API key": "canary-value"})
        assert evidence_of_report.evidence(capture) == expected


def test_an_orphan_of_a_service_that_took_no_part_is_not_a_capture_s(make_run: MakeRun) -> None:
    report = make_run(1, orphans=3).report()
    stranger = report.arrivals[-2].number
    arrivals = tuple(replace(held, project_id="77") if held.number == stranger else held for held in report.arrivals)
    evidence = EvidenceOfReport(replace(report, arrivals=arrivals)).evidence(report.record.captures[0])
    assert [held.number for held in evidence.orphans] == [stranger - 1, stranger + 1]


def test_an_envelope_that_relay_makes_of_another_request_is_kept_beside_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    stored = replace(run.arrivals[0], endpoint="store", content=Opened(b'{"message": "old"}', envelope(error())))
    raw = replace(run.arrivals[1], endpoint="otlp_logs", content=Opened(b"\x00\x01", None))
    arrivals = (stored, raw, *run.arrivals[2:])
    run.harvest = replace(run.harvest, seen=replace(run.harvest.seen, arrivals=arrivals))
    write_report(run.report(), tmp_path)
    first, second = read_report(tmp_path).arrivals[:2]
    assert (first.body, second.body, second.envelope) == (stored.body, raw.body, None)
    assert first.envelope is not None
    assert [item.payload for item in first.envelope.items] == [error().payload]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not JSON"),
        ('{"schema": "other"}', "is not the record of a run"),
        (
            '{"schema": "sentry-verification-harness/run", "version": 3}',
            "has version 3, this harness reads version 2",
        ),
        (
            '{"schema": "sentry-verification-harness/run", "version": 2}',
            "is damaged: Object missing required field `harness`",
        ),
    ],
)
def test_what_is_no_record_is_said_in_words(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(UnreadableReport, match=problem):
        read_record(tmp_path)


def test_a_value_of_the_wrong_type_is_damage(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1)
    write_report(run.report(), tmp_path)
    held = json.loads((tmp_path / "run.json").read_text())
    held["tests"][0]["line"] = "seven"
    (tmp_path / "run.json").write_text(json.dumps(held))
    with pytest.raises(UnreadableReport, match=r"Expected `int`, got `str` - at `\$.tests\[0\].line`"):
        read_record(tmp_path)


def test_what_is_missing_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(UnreadableReport, match="No such file"):
        read_record(tmp_path)
    run = make_run(1)
    write_report(run.report(), tmp_path)
    (tmp_path / "envelopes" / "000001.envelope").write_bytes(b"cut")
    with pytest.raises(UnreadableReport, match=r"000001\.envelope is damaged"):
        read_report(tmp_path)
    (tmp_path / "envelopes" / "000001.envelope").unlink()
    with pytest.raises(UnreadableReport, match=r"000001\.envelope cannot be read.*copy all of the report"):
        read_report(tmp_path)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret", "envelopes/../../secret"])
@pytest.mark.parametrize("kind", ["envelopes", "refusals"])
def test_nothing_outside_of_the_report_is_read(make_run: MakeRun, tmp_path: Path, path: str, kind: str) -> None:
    run = make_run(1)
    refusal = Refusal(7.0, "POST", "/api/1/envelope/", "", (), b"{", 400, "no envelope", "payment")
    run.harvest = replace(run.harvest, seen=replace(run.harvest.seen, refusals=(refusal,)))
    (tmp_path / "secret").write_text("{}\n")
    write_report(run.report(), tmp_path / "report")
    held = json.loads((tmp_path / "report" / "run.json").read_text())
    held[kind][0]["file"] = path
    (tmp_path / "report" / "run.json").write_text(json.dumps(held))
    with pytest.raises(UnreadableReport, match="not inside the report"):
        read_report(tmp_path / "report")


@pytest.mark.parametrize("linked", ["envelopes/000000.envelope", "envelopes"])
def test_no_link_is_followed_out_of_the_report(make_run: MakeRun, tmp_path: Path, linked: str) -> None:
    write_report(make_run(1).report(), tmp_path / "report")
    (tmp_path / "report" / linked).rename(tmp_path / "elsewhere")
    (tmp_path / "report" / linked).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnreadableReport, match=r"is not inside the report|cannot be read: .*symbolic links"):
        read_report(tmp_path / "report")


def _set(place: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        *steps, last = (int(step) if step.isdigit() else step for step in place.split("."))
        held: Any = record
        for step in steps:
            held = held[step]
        held[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set("captures.0.envelopes", [999]), "unknown envelope"),
        (_set("captures.0.orphans", [-1, 2]), "unknown envelope"),
        (_set("captures.0.execution", "x"), "unknown execution"),
        (_set("captures.0.services.payment.log_tail", [99]), "unknown line"),
        (_set("captures.0.services.payment.instance", 9), "unknown instance"),
        (_set("envelopes.0.number", 7), "is at position 0"),
        (_set("envelopes.0.execution", "x"), "unknown execution"),
        (_set("tests.0.captures", ["f" * 32]), "unknown capture"),
        (_set("settings", {"checks": {}}), "no 'baseline'"),
    ],
)
def test_a_record_that_refers_to_what_is_not_there_is_damaged(
    make_run: MakeRun, tmp_path: Path, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    write_report(make_run(1).report(), tmp_path)
    held = json.loads((tmp_path / "run.json").read_text())
    change(held)
    (tmp_path / "run.json").write_text(json.dumps(held))
    with pytest.raises(UnreadableReport, match=f"is damaged: .*{problem}"):
        read_record(tmp_path)
