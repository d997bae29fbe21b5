from __future__ import annotations

from xml.etree import ElementTree

from harness.report.junit import junit_xml
from harness.report.record import Outcome
from tests.report.conftest import MakeRun, finding


def test_outcomes_findings_and_the_run_are_in_it(make_run: MakeRun) -> None:
    run = make_run(
        4,
        tests={
            0: {"outcome": Outcome.FAILED, "message": "E   it broke\nmore", "findings": (finding(),)},
            1: {"outcome": Outcome.ERROR, "message": "no set-up"},
            2: {"outcome": Outcome.SKIPPED, "message": "not here"},
            3: {"findings": (finding(severity="warning"), finding("volume", allowed="large by nature"))},
        },
    )
    (suite,) = ElementTree.fromstring(junit_xml(run.record(exit_status=1)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == tuple("5211")
    failed, error, skipped, noted, whole = suite.iter("testcase")
    assert failed.get("classname") == "test_pay"
    assert failed.get("name") == "test_0000"
    assert [found.attrib for found in failed.iter("failure")] == [{"message": "it broke"}]
    assert [found.get("value") for found in failed.iter("property")] == ["secrets.known"]
    assert error.find("error") is not None
    assert skipped.find("skipped") is not None
    output = noted.findtext("system-out") or ""
    assert "[secrets.known] [warning] payment: a secret leaks (error event at $.tags)" in output
    assert "-- large by nature" in output
    assert whole.findtext("failure") == "no scenario triggers payment GET /debug/never"


def test_a_good_run_has_no_failure(make_run: MakeRun) -> None:
    run = make_run(1)
    run.summary = type(run.summary)(scenarios=1, envelopes=0)
    text = junit_xml(run.record())
    assert "<failure" not in text
    assert 'failures="0"' in text


def test_a_service_that_died_fails_the_case_of_the_run(make_run: MakeRun) -> None:
    run = make_run(1)
    run.summary = type(run.summary)(scenarios=1, envelopes=0, died=(("shop", 3),))
    assert 'message="shop died with exit code 3"' in junit_xml(run.record(exit_status=1))


def test_text_that_xml_cannot_hold_is_escaped(make_run: MakeRun) -> None:
    hostile = "]]></failure>\x00\x1b[31m \ud800 <script>&amp;"
    run = make_run(1, tests={0: {"outcome": Outcome.FAILED, "message": hostile}})
    suite = ElementTree.fromstring(junit_xml(run.record(exit_status=1)))
    (failure, _) = suite.iter("failure")
    assert failure.text == "]]></failure>\\x00\\x1b[31m \\xd800 <script>&amp;"
