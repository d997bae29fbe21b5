from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

from harness.report.annotations import annotation_lines
from harness.report.record import DifferenceRecord, Outcome
from tests.report.conftest import MakeRun, Run, finding

COMMAND = re.compile(r"::error (?P<properties>[^:]*)::(?P<message>.*)")


def read(line: str) -> tuple[dict[str, str], list[str]]:
    """A command as the runner reads it; all that is escaped is escaped by percent."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = dict(held.split("=", 1) for held in found["properties"].split(","))
    return {name: unquote(value) for name, value in properties.items()}, unquote(found["message"]).split("\n")


def covered(run: Run) -> Run:
    run.summary = replace(run.summary, coverage=())
    return run


def test_a_bad_test_is_annotated_at_its_line_with_what_is_wrong(make_run: MakeRun) -> None:
    bad = {
        "outcome": Outcome.FAILED,
        "message": "def test():\nE   no tag\n",
        "findings": (finding(), finding("volume", severity="warning"), finding("egress", allowed="it is meant")),
        "differences": (
            DifferenceRecord("lost", "$.tags.tenant", "acme"),
            DifferenceRecord("changed", "$.level", "error", "warning"),
            DifferenceRecord("gained", "$.tags.x", None, "1"),
        ),
    }
    (line,) = annotation_lines(covered(make_run(3, tests={1: bad})).record(exit_status=1), "apps/shop")
    properties, message = read(line)
    assert properties == {"file": "apps/shop/test_pay.py", "line": "2", "title": "payment GET /debug/1"}
    assert message == [
        "no tag",
        "[secrets.known] payment: a secret leaks (error event at $.tags)",
        'lost $.tags.tenant: it was "acme"',
        'changed $.level: it was "error", it is "warning"',
    ]


def test_a_good_run_with_warnings_has_no_annotations(make_run: MakeRun) -> None:
    warned = {0: {"findings": (finding(severity="warning"),)}}
    assert annotation_lines(covered(make_run(2, tests=warned)).record()) == []


def test_problems_of_the_run_are_one_error_without_file(make_run: MakeRun) -> None:
    run = make_run(1)
    run.summary = replace(run.summary, died=(("payment", 9),))
    (line,) = annotation_lines(run.record(exit_status=1))
    properties, message = read(line)
    assert properties == {"title": "Sentry verification"}
    assert message == ["payment died with exit code 9", "no scenario triggers payment GET /debug/never"]


def test_a_fleet_that_does_not_start_is_one_error(make_run: MakeRun) -> None:
    run = covered(make_run(3, tests={at: {"outcome": Outcome.ERROR, "captures": ()} for at in range(3)}))
    run = replace(run, harvest=replace(run.harvest, gathered=()), summary=replace(run.summary, failure="no licence"))
    (line,) = annotation_lines(run.record(exit_status=1))
    assert read(line)[1] == ["The fleet did not start, so nothing was verified.", "no licence"]


def test_text_of_services_cannot_become_commands_or_properties(make_run: MakeRun) -> None:
    hostile = {
        "outcome": Outcome.FAILED,
        "message": "E   100%0A ::warning::x\ud800\rDone",
        "id": "t.py::test[a:b,c=d]",
    }
    run = covered(make_run(1, tests={0: {**hostile, "captures": ()}}))
    run.harvest = replace(run.harvest, gathered=())
    (line,) = annotation_lines(run.record(exit_status=1))
    assert "\n" not in line
    assert "\r" not in line
    assert "title=t.py%3A%3Atest[a%3Ab%2Cc=d]::100%250A ::warning::x\\ud800" in line


def test_ten_are_shown_in_the_order_of_importance_and_the_rest_is_counted(make_run: MakeRun) -> None:
    tests: dict[int, dict[str, object]] = {at: {"outcome": Outcome.FAILED, "message": "E   why"} for at in range(12)}
    tests[3] = {"outcome": Outcome.NOT_RUN}
    tests[7]["differences"] = (DifferenceRecord("lost", "$.tags.tenant", "acme"),)
    tests[9]["findings"] = (finding(),)
    lines = [read(line) for line in annotation_lines(covered(make_run(12, tests=tests)).record(exit_status=1))]
    assert [properties.get("line") for properties, _ in lines] == ["10", "8", "1", "2", "3", "5", "6", "7", "9", None]
    assert lines[-1][1] == ["3 more failed: see the summary and the report of the run."]
    ten = {at: {"outcome": Outcome.FAILED} for at in range(10)}
    assert len(annotation_lines(covered(make_run(10, tests=ten)).record(exit_status=1))) == 10
    assert "more failed" not in annotation_lines(covered(make_run(10, tests=ten)).record(exit_status=1))[-1]


def test_a_long_list_is_cut_and_counted(make_run: MakeRun) -> None:
    lost = tuple(DifferenceRecord("lost", f"$.tags.t{at}", "x" * 1000) for at in range(50))
    run = covered(make_run(1, tests={0: {"outcome": Outcome.FAILED, "message": "E   why", "differences": lost}}))
    (line,) = annotation_lines(run.record(exit_status=1))
    assert read(line)[1][-1] == "and 39 more"
    assert len(line) < 4000


def test_a_file_outside_of_the_repository_is_not_named(make_run: MakeRun) -> None:
    run = covered(make_run(1, tests={0: {"outcome": Outcome.FAILED, "file": "../elsewhere/test_x.py"}}))
    assert set(read(annotation_lines(run.record(exit_status=1))[0])[0]) == {"title"}
    inside = annotation_lines(run.record(exit_status=1), "apps")[0]
    assert read(inside)[0]["file"] == "elsewhere/test_x.py"


def test_a_diagnosis_is_shown_with_its_cause(make_run: MakeRun) -> None:
    message = "def test():\n>   x\nE   errors expected, but none arrived.\nE   Likely cause: no trace\n\nat.py:3"
    run = covered(make_run(1, tests={0: {"outcome": Outcome.FAILED, "message": message}}))
    (line,) = annotation_lines(run.record(exit_status=1))
    assert read(line)[1] == ["errors expected, but none arrived.", "Likely cause: no trace"]
