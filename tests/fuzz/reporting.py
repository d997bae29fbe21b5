"""What must hold for the report, whatever was captured: it can be written, shown and read again."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from harness.report.evidence import EvidenceOfReport
from harness.report.judging import judge_again
from harness.report.junit import junit_xml
from harness.report.markdown import summary_markdown
from harness.report.page_assembly import page_parts
from harness.report.record import FindingRecord, Outcome, RunRecord, TestRecord
from harness.report.recording import finding_record, record_run
from harness.report.report import Report
from harness.report.terminal import record_lines
from harness.report.writing import run_json
from harness.run.harvest import Harvest
from harness.run.scenario import Scenario, make_trigger
from harness.run.summary import RunSummary
from harness.verify.baseline.settings import BaselineSettings
from harness.verify.capture import Capture
from harness.verify.checks.registry import judge
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from tests.fuzz.choices import Choices
from tests.fuzz.envelopes import varied
from tests.samples import arrival

TRACE = "0af7651916cd43dd8448eb211c80319c"
PROJECTS = {"1": "shop", "2": "bank"}
OFF = BaselineSettings(enabled=False)


def report(data: bytes) -> None:
    """From what was captured to a record, its pages, and back again."""
    choices = Choices(data)
    arrivals = tuple(arrival(number, varied(choices), str(1 + number)) for number in range(choices.below(2) + 1))
    evidence = Evidence(
        "shop GET /debug",
        "shop",
        trace_id=TRACE,
        span_id="b7ad6b7169203331",
        response=Response(500, {"content-type": "text/plain"}, data, 12.0, "http://shop/debug"),
        arrivals=arrivals,
        services={name: ServiceFacts(name, log_tail=data.decode("latin-1")) for name in PROJECTS.values()},
        services_by_project=PROJECTS,
    )
    settings = CheckSettings()
    found = [finding_record(finding, capture=TRACE) for finding in judge(Capture(evidence), settings).findings]
    seen = RunSubject(arrivals, settings, (), PROJECTS, frozenset({TRACE}))
    scenario = Scenario("test_a.py::test_b", make_trigger("shop", "GET /debug"), 500)
    record = record_run(
        Harvest(((scenario, evidence),), seen),
        RunSummary(1, len(arrivals)),
        [_test(scenario.key, found, data)],
        exit_status=1,
        created_at=1000.0,
        root=Path("/checkout"),
        baseline=OFF,
    )
    written = "".join(run_json(record))
    assert "".join(run_json(msgspec.convert(json.loads(written), RunRecord))) == written
    assert "</html>" in "".join(page_parts(record, arrivals))
    assert summary_markdown(record)
    assert ElementTree.fromstring(junit_xml(record)).tag
    assert all("\x1b" not in line for line in record_lines(record))
    whole = Report(record, arrivals, ())
    assert EvidenceOfReport(whole).capture(TRACE).trace_id == TRACE
    judge_again(whole, settings, OFF, Path())


def _test(key: str, found: list[FindingRecord], data: bytes) -> TestRecord:
    message = data.decode("utf-8", "backslashreplace")
    return TestRecord(key, "test_a.py", 1, Outcome.FAILED, 0.1, message, captures=(TRACE,), findings=tuple(found))
