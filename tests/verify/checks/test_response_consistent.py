from __future__ import annotations

from typing import Any

import pytest

from harness.verify.checks.response_consistent import response_consistent
from harness.verify.evidence import PageView, Response
from harness.verify.finding import Finding
from harness.wire.envelope import Envelope, Item
from tests.samples import OTHER_TRACE, TRIGGER_SPAN, arrival, child_span, envelope, error, json_item, transaction
from tests.verify.checks.capturing import findings

GATEWAY, CALL, GAME, TO_PAYMENT, PAYMENT = ("a" * 16, "b" * 16, "c" * 16, "d" * 16, "e" * 16)
PROJECTS = {"1": "game", "2": "payment", "3": "gateway"}
HOPS = (
    ("3", transaction("proxy", span_id=GATEWAY, spans=[child_span(CALL, GATEWAY, "GET http://game/spin")])),
    (
        "1",
        transaction("spin", span_id=GAME, parent=CALL, spans=[child_span(TO_PAYMENT, GAME, "GET http://payment/")]),
    ),
    ("2", transaction("debit", span_id=PAYMENT, parent=TO_PAYMENT)),
)


def message(level: str = "error", **payload: Any) -> Item:
    context = {"trace": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": GAME, "parent_span_id": CALL}}
    return json_item("event", {"level": level, "message": "it failed", "contexts": context, **payload})


def found(
    status: int | None,
    *sent: tuple[str, Item],
    outside: tuple[Envelope, ...] = (),
    outside_project: str = "1",
    page: PageView | None = None,
) -> list[Finding]:
    response = None if status is None else Response(status, {}, b"", 1.0, "http://127.0.0.1:1/debug/spin")
    arrivals = [arrival(number, envelope(item), project) for number, (project, item) in enumerate([*HOPS, *sent])]
    orphans = [arrival(100 + number, held, outside_project) for number, held in enumerate(outside)]
    return findings(
        response_consistent,
        response=response,
        page=page,
        entry="gateway",
        span_id=TRIGGER_SPAN,
        services_by_project=PROJECTS,
        arrivals=tuple(arrivals),
        orphans=tuple(orphans),
    )


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_error_that_nobody_reports(status: int) -> None:
    (finding,) = found(status)
    assert (finding.code, finding.service) == ("response-consistent.unreported", "game")
    assert f"the answer was {status}" in finding.message


@pytest.mark.parametrize("project", PROJECTS)
def test_a_server_error_that_any_service_reports(project: str) -> None:
    assert found(500, (project, error(span_id=GAME))) == []


def test_a_page_that_fails_says_nothing_of_the_answer_that_it_got() -> None:
    failed, page = ("3", error(span_id=GATEWAY)), PageView("http://127.0.0.1:3/")
    assert [finding.code for finding in found(200, failed)] == ["response-consistent.error-on-success"]
    assert found(200, failed, page=page) == []
    behind = found(200, ("1", error(span_id=GAME)), page=page)
    assert [finding.code for finding in behind] == ["response-consistent.error-on-success"]


def test_a_message_is_no_error() -> None:
    (finding,) = found(500, ("1", message()))
    assert (finding.code, finding.path) == ("response-consistent.only-message", "$.exception")
    assert "it failed" in str(finding.item)


def test_a_mere_notice_is_not_taken_for_the_report() -> None:
    (finding,) = found(500, ("1", message("info")))
    assert finding.code == "response-consistent.unreported"


def test_a_lost_trace_is_not_reported_twice() -> None:
    lost = error(trace_id=OTHER_TRACE, request={"url": "http://127.0.0.1:1/debug/spin"})
    assert found(500, outside=(envelope(lost, trace_id=OTHER_TRACE),)) == []
    other = error(trace_id=OTHER_TRACE, request={"url": "http://127.0.0.1:1/debug/other"})
    assert len(found(500, outside=(envelope(other, trace_id=OTHER_TRACE),))) == 1


def test_an_error_of_a_thread_that_lost_its_trace_may_be_the_scenarios() -> None:
    of_thread = envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE)
    assert found(500, outside=(of_thread,)) == []
    assert len(found(500, outside=(of_thread,), outside_project="3")) == 1


def test_a_service_that_the_trace_did_not_reach_is_left_to_trace_connected() -> None:
    response = Response(500, {}, b"", 1.0, "http://127.0.0.1:1/debug/spin")
    assert findings(response_consistent, envelope(transaction(span_id=GATEWAY)), project="3", response=response) == []


@pytest.mark.parametrize("status", [200, 202, 302])
def test_an_unhandled_error_behind_an_answer_that_all_is_well(status: int) -> None:
    (finding,) = found(status, ("1", error(span_id=GAME)))
    assert (finding.code, finding.service) == ("response-consistent.error-on-success", "game")
    assert finding.path == "$.exception.values[0].mechanism"
    assert f"the answer was {status}" in finding.message


def test_the_gateway_may_not_fail_silently_either() -> None:
    (finding,) = found(200, ("3", error(span_id=GATEWAY)))
    assert (finding.code, finding.service) == ("response-consistent.error-on-success", "gateway")


@pytest.mark.parametrize(
    "item",
    [
        error(span_id=GAME, handled=True),
        error(span_id=GAME, handled=None),
        error(span_id=GAME, level="warning"),
        message(),
    ],
)
def test_what_was_handled_or_said_fits_a_success(item: Item) -> None:
    assert found(200, ("1", item)) == []


def test_the_target_may_cope_with_a_failure_of_a_service_that_it_calls() -> None:
    assert found(200, ("2", error(span_id=PAYMENT))) == []


@pytest.mark.parametrize("status", [400, 404, None])
def test_other_answers_say_nothing(status: int | None) -> None:
    assert found(status, ("1", error(span_id=GAME))) == []
    assert found(status) == []
