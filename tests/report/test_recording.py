from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import pytest

from harness.report import captured
from harness.report import record as schema
from harness.report.record import Outcome, TestRecord
from harness.report.writing import run_json
from harness.run.summary import LostTrace
from harness.verify.finding import Finding
from tests.report.conftest import MakeRun, trace_id

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "report.md"


def test_the_record_holds_each_test_with_its_captures(make_run: MakeRun) -> None:
    record = make_run(3).record()
    assert [test.captures for test in record.tests] == [(trace_id(0),), (trace_id(1),), (trace_id(2),)]
    capture = record.captures[1]
    assert (capture.test, capture.title, capture.status) == ("test_pay.py::test_0001", "payment GET /debug/1", 500)
    assert capture.response is not None
    assert capture.response.body == '{"error": "boom"}'
    assert [record.envelopes[number].items for number in capture.envelopes] == [
        ("transaction",),
        ("event",),
        ("span",),
    ]


def test_the_order_does_not_depend_on_which_test_was_faster(make_run: MakeRun) -> None:
    run = make_run(9)
    expected = run.record()
    random.Random(3).shuffle(run.tests)
    run.harvest = dataclasses.replace(run.harvest, gathered=run.harvest.gathered[::-1])
    shuffled = run.record()
    assert shuffled.tests == expected.tests
    assert [capture.id for capture in shuffled.captures] == [capture.id for capture in expected.captures]


def test_a_scenario_without_an_outcome_was_not_run(make_run: MakeRun) -> None:
    run = make_run(2)
    del run.tests[1]
    record = run.record(exit_status=2)
    assert [(test.outcome, test.own_outcome, test.captures) for test in record.tests] == [
        (Outcome.NOT_RUN, Outcome.NOT_RUN, (trace_id(1),)),
        (Outcome.PASSED, Outcome.PASSED, (trace_id(0),)),
    ]
    assert record.tests_by_outcome["not run"] == 1


def test_a_capture_of_a_test_that_failed_before_it_reported_any_is_found_by_its_scenario(make_run: MakeRun) -> None:
    record = make_run(1, tests={0: {"captures": (), "outcome": Outcome.ERROR}}).record(exit_status=1)
    assert record.tests[0].captures == (trace_id(0),)


def test_a_capture_that_was_replaced_by_another_attempt_is_left_out(make_run: MakeRun) -> None:
    record = make_run(1, tests={0: {"captures": ("0" * 32, trace_id(0), trace_id(0))}}).record()
    assert record.tests[0].captures == (trace_id(0),)


def test_secrets_of_the_environment_are_named_and_never_written(make_run: MakeRun) -> None:
    written = "".join(run_json(make_run(1).record()))
    assert "real-secret-value" not in written
    assert json.loads(written)["captures"][0]["withheld"] == ["DB_PASSWORD of payment"]
    assert json.loads(written)["captures"][0]["canaries"] == {"the trigger's API key": "canary-value"}


def test_what_scenarios_share_is_written_once(make_run: MakeRun) -> None:
    record = make_run(12).record()
    assert record.log_lines == ("starting", "listening", "boom")
    assert [(held.service, len(held.samples)) for held in record.resources] == [("gateway", 40), ("payment", 40)]
    facts = record.captures[3].services["payment"]
    first, last = facts.samples
    assert facts.instance is not None
    assert [sample[0] for sample in record.resources[facts.instance].samples[first:last]] == list(range(3, 40))
    assert [record.log_lines[line] for line in facts.log_tail] == ["starting", "listening", "boom"]


def test_orphans_are_marked_and_each_capture_says_which_it_saw(make_run: MakeRun) -> None:
    record = make_run(2, orphans=3).record()
    lonely = [held.number for held in record.envelopes if held.orphan]
    assert len(lonely) == 3
    assert record.captures[0].orphans == (lonely[0], lonely[-1])


def test_an_instance_of_its_own_is_shown_by_its_service_s_name(make_run: MakeRun) -> None:
    run = make_run(1)
    seen = dataclasses.replace(run.harvest.seen, services_by_project={"1": "gateway#1", "2": "payment#1"})
    run.harvest = dataclasses.replace(run.harvest, seen=seen)
    assert {held.service for held in run.record().envelopes} == {"gateway", "payment"}


def test_findings_over_the_run_and_lost_traces_are_kept(make_run: MakeRun) -> None:
    run = make_run(1)
    run.summary = dataclasses.replace(
        run.summary, findings=(Finding("nothing-dropped.queue", "lost"),), lost=(LostTrace("shop", "E: x", None),)
    )
    record = run.record(exit_status=1)
    assert record.findings[0].fails
    assert record.lost == (("shop", "E: x", None),)
    assert record.uncovered == ("payment GET /debug/never",)


def test_a_binary_answer_survives(make_run: MakeRun) -> None:
    run = make_run(1)
    ((scenario, evidence),) = run.harvest.gathered
    assert evidence.response is not None
    binary = dataclasses.replace(evidence, response=dataclasses.replace(evidence.response, body=b"\xff\x00"))
    run.harvest = dataclasses.replace(run.harvest, gathered=((scenario, binary),))
    response = run.record().captures[0].response
    assert response is not None
    assert (response.body, response.body_encoding) == ("/wA=", "base64")


RECORDS = [
    held
    for module in (schema, captured)
    for held in vars(module).values()
    if dataclasses.is_dataclass(held) and isinstance(held, type) and held.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: str(kind.__name__))
def test_every_field_of_the_schema_is_documented(kind: type) -> None:
    documented = DOCUMENTATION.read_text()
    missing = [field.name for field in dataclasses.fields(kind) if f"`{field.name}`" not in documented]
    assert missing == []
    assert TestRecord in RECORDS


def test_what_opens_something_is_hidden_where_a_service_has_echoed_it(make_run: MakeRun) -> None:
    token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
    record = make_run(1, message=f"real-secret-value, {token} and canary-value").record()
    said = "[DB_PASSWORD of payment], [a JSON web token] and canary-value"
    assert record.captures[0].response is not None
    assert record.captures[0].response.body == f'{{"error": "{said}"}}'
    assert record.log_lines == ("starting", "listening", said)
