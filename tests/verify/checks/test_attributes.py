from __future__ import annotations

import pytest
import sentry_sdk
from sentry_sdk import logger

from harness.verify.checks.attributes import attributes
from harness.verify.finding import Finding, Severity
from tests.samples import (
    LOG_CONTENT,
    METRIC_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    child_span,
    container,
    envelope,
    streamed_span,
    transaction,
)
from tests.verify.checks.capturing import codes, findings, of_sdk


def of_log(*names: str, trace_id: str = TRACE) -> list[Finding]:
    held = {name: {"value": "x", "type": "string"} for name in names}
    entry = {"trace_id": trace_id, "body": "spun", "attributes": held}
    return findings(attributes, envelope(container("log", LOG_CONTENT, entry), trace_id=None))


@pytest.mark.parametrize(
    "name",
    [
        "http.request.method",
        "http.request.header.x-request-id",
        "url.path.parameter.roundid",
        "game.round",
        "user_id",
        "user.ids",
        "user.id2",
        "app.memory",
        "express.type",
        "sentry.source",
        "db.connection_string",
        "sentry.relase",
    ],
)
def test_known_names_and_names_of_ones_own_pass(name: str) -> None:
    assert of_log(name) == []


@pytest.mark.parametrize(
    ("name", "instead"),
    [("http.method", "http.request.method"), ("http.status_code", "http.response.status_code"), ("url", "url.full")],
)
def test_a_deprecated_name_is_found_with_its_replacement(name: str, instead: str) -> None:
    (found,) = of_log(name)

    assert (found.code, found.severity) == ("attributes.deprecated", Severity.WARNING)
    assert f"use {instead!r}" in found.message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("http.reqeust.method", "http.request.method"),
        ("http.response.statuscode", "http.response.status_code"),
        ("http.response.statusCode", "http.response.status_code"),
        ("http_request_method", "http.request.method"),
        ("server.adress", "server.address"),
    ],
)
def test_a_misspelled_name_is_found_with_the_right_one(name: str, meant: str) -> None:
    (found,) = of_log(name)

    assert (found.code, found.severity) == ("attributes.misspelled", Severity.WARNING)
    assert repr(meant) in found.message
    assert found.path is not None
    assert name in found.path


def test_spans_of_a_transaction_are_looked_into_where_the_application_made_them() -> None:
    made = child_span("a3", "a2", "spin", origin="manual", data={"http.method": "GET"})
    automatic = child_span("a4", "a2", "GET /", origin="auto.http.httpx", data={"http.method": "GET"})
    item = transaction(span_id="a2", spans=[automatic, made])

    assert [(found.code, found.path) for found in findings(attributes, envelope(item))] == [
        ("attributes.deprecated", "$.spans[1].data['http.method']")
    ]


def test_the_segment_of_a_transaction_is_looked_into() -> None:
    trace = {"trace_id": TRACE, "span_id": "a2", "data": {"server.adress": "x"}, "origin": "auto.http.tornado"}
    item = transaction(span_id="a2", contexts={"trace": trace})

    assert [(found.code, found.path) for found in findings(attributes, envelope(item))] == [
        ("attributes.misspelled", "$.contexts.trace.data['server.adress']")
    ]


def streamed(origin: str) -> list[Finding]:
    held = {
        name: {"value": value, "type": "string"}
        for name, value in (("sentry.origin", origin), ("http.method", "GET"))
    }
    entry = {**streamed_span("spin", span_id="a1", parent=None), "attributes": held}
    return findings(attributes, envelope(container("span", SPAN_CONTENT, entry)))


def test_streamed_spans_are_looked_into() -> None:
    assert [found.path for found in streamed("manual")] == ["$.items[0].attributes['http.method']"]
    assert streamed("auto.http.express") == []


def test_what_an_application_attaches_to_an_automatic_log_is_its_own() -> None:
    held = {
        name: {"value": value, "type": "string"}
        for name, value in (("sentry.origin", "auto.log.stdlib"), ("url", "/"))
    }
    entry = {"trace_id": TRACE, "body": "spun", "attributes": held}

    found = findings(attributes, envelope(container("log", LOG_CONTENT, entry), trace_id=None))

    assert codes(found) == ["attributes.deprecated"]


def test_metrics_are_looked_into() -> None:
    entry = {"trace_id": TRACE, "name": "spins", "attributes": {"http.method": {"value": "GET", "type": "string"}}}

    found = findings(attributes, envelope(container("trace_metric", METRIC_CONTENT, entry), trace_id=None))

    assert codes(found) == ["attributes.deprecated"]


def test_other_traces_are_not_looked_into() -> None:
    assert of_log("http.method", trace_id=OTHER_TRACE) == []


def test_the_same_name_in_many_items_is_said_once() -> None:
    entry = {"trace_id": TRACE, "body": "spun", "attributes": {"http.method": {"value": "GET", "type": "string"}}}
    batch = envelope(container("log", LOG_CONTENT, entry, entry, entry), trace_id=None)

    (found,) = findings(attributes, batch)

    assert "(2 more items alike)" in found.message


def test_the_real_sdk() -> None:
    def act() -> None:
        with (
            sentry_sdk.start_transaction(op="task", name="spin"),
            sentry_sdk.start_span(op="db", name="SELECT 1") as made,
        ):
            made.set_data("db.system", "postgresql")
            logger.info("spun {times}", times=3)

    (found,) = of_sdk(attributes, act, traces_sample_rate=1.0, enable_logs=True)

    assert found.code == "attributes.deprecated"
    assert "db.system.name" in found.message
