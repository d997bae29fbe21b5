from __future__ import annotations

import pytest
import requests
import responses

from harness.run.requesting import announced_context, send, trace_headers
from harness.run.scenario import make_trigger
from harness.wire.trace import Baggage, DynamicSamplingContext, SentryTrace

URL = "http://127.0.0.1:1/api/v1/payment"


def test_trace_headers_are_those_of_a_front_end_that_records_everything() -> None:
    trace = SentryTrace.new()
    headers = trace_headers(trace)
    assert SentryTrace.parse(headers["sentry-trace"]) == trace
    context = DynamicSamplingContext.from_baggage(Baggage.parse(headers["baggage"]))
    assert (context.trace_id, context.sampled, context.sample_rate) == (trace.trace_id, "true", "1")
    assert 0 <= float(context.sample_rand or "") < 1


def test_the_announced_context_is_the_one_in_the_baggage() -> None:
    trace = SentryTrace.new()
    context = announced_context(make_trigger("payment", "GET /x", headers={"X-Debug-User": "bob"}), trace)
    assert context == DynamicSamplingContext.from_baggage(Baggage.parse(trace_headers(trace)["baggage"]))


@pytest.mark.parametrize("name", ["Baggage", "sentry-trace"])
def test_a_trigger_with_trace_headers_of_its_own_announces_nothing_known(name: str) -> None:
    assert announced_context(make_trigger("payment", "GET /x", headers={name: ""}), SentryTrace.new()) is None


@responses.activate
def test_the_answer_is_kept_whole() -> None:
    responses.post(f"{URL}/process", status=402, body=b'{"error": "poor"}', headers={"X-Sentry-Event-Id": "e"})
    trace = SentryTrace.new()
    trigger = make_trigger(
        "payment", "POST /process", json={"a": 1}, params={"n": 2}, headers={"X-Debug-User": "bob"}
    )
    answer = send(trigger, URL, trace)
    assert answer.status == 402
    assert answer.json() == {"error": "poor"}
    assert answer.headers["x-sentry-event-id"] == "e"
    sent = responses.calls[0].request
    assert sent.url == f"{URL}/process?n=2"
    assert sent.headers["sentry-trace"] == str(trace)
    assert sent.headers["X-Debug-User"] == "bob"
    assert sent.body == b'{"a": 1}'


@responses.activate
def test_redirects_are_answers_too() -> None:
    responses.get(f"{URL}/old", status=302, headers={"Location": "/new"})
    assert send(make_trigger("payment", "GET /old"), URL, SentryTrace.new()).status == 302


@responses.activate
def test_no_answer_is_an_error_of_requests() -> None:
    responses.get(f"{URL}/x", body=requests.ConnectionError("refused"))
    with pytest.raises(requests.ConnectionError):
        send(make_trigger("payment", "GET /x"), URL, SentryTrace.new())


@responses.activate
def test_a_body_that_is_no_json_says_so() -> None:
    responses.get(f"{URL}/x", body="<html>")
    with pytest.raises(ValueError, match="answered 200 without JSON: '<html>'"):
        send(make_trigger("payment", "GET /x"), URL, SentryTrace.new()).json()
