from __future__ import annotations

import logging
import math
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk import logger

from harness.collector.ingest import Refusal
from harness.verify.checks.protocol import protocol, protocol_of_run
from harness.verify.finding import Finding, Severity
from harness.wire.envelope import Envelope, Item
from harness.wire.trace import DynamicSamplingContext
from tests.samples import (
    LOG_CONTENT,
    METRIC_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    child_span,
    container,
    envelope,
    error,
    json_item,
    streamed_span,
    transaction,
)
from tests.verify.checks.capturing import codes, findings, of_sdk, raw, run_findings

ID = "83c49ed57ff5482289447dd276299165"
CONTEXT = {
    "trace_id": TRACE,
    "public_key": "trigger",
    "release": "trigger@1",
    "sample_rate": "1",
    "sample_rand": "0.5",
    "sampled": "true",
}
ANNOUNCED = DynamicSamplingContext(**CONTEXT)


def log(**changes: Any) -> dict[str, Any]:
    return {"trace_id": TRACE, "timestamp": 100.0, "level": "info", "body": "spun", **changes}


def metric(**changes: Any) -> dict[str, Any]:
    return {"trace_id": TRACE, "timestamp": 100.0, "name": "spins", "type": "counter", "value": 1, **changes}


def span(**changes: Any) -> dict[str, Any]:
    return {**streamed_span("spin", span_id="00000000000000a1", parent=None, segment=True), **changes}


def spans(*entries: dict[str, Any]) -> Item:
    return container("span", SPAN_CONTENT, *entries)


def logs(*entries: dict[str, Any]) -> Item:
    return container("log", LOG_CONTENT, *entries)


def event(**payload: Any) -> Envelope:
    return envelope(error(event_id=ID, **payload), event_id=ID)


def batch(*items: Item, **headers: Any) -> Envelope:
    return envelope(*items, trace_id=None, **headers)


def sampled(**changes: Any) -> Envelope:
    context = {key: value for key, value in {**CONTEXT, **changes}.items() if value is not None}
    return Envelope(headers={"trace": context}, items=[spans(span())])


HEALTHY = [
    event(timestamp=100.1),
    envelope(transaction(span_id="00000000000000a2", event_id=ID), event_id=ID, sent_at="1970-01-01T00:16:40Z"),
    sampled(),
    batch(logs(log(), log(trace_id=OTHER_TRACE))),
    batch(container("trace_metric", METRIC_CONTENT, metric())),
    batch(json_item("session", {"sid": "1"}), json_item("session", {"sid": "1"})),
    envelope(json_item("replay_event", {"trace_ids": [TRACE]}), raw("replay_recording", b"{}\n[]"), event_id=ID),
    envelope(raw("replay_video", b"\x81")),
    envelope(error(event_id=ID), raw("attachment", b"\xff", filename="dump"), event_id=ID),
    envelope(json_item("span", span())),
]


@pytest.mark.parametrize("held", HEALTHY, ids=lambda held: "-".join(item.type for item in held.items))
def test_healthy_envelopes_pass(held: Envelope) -> None:
    assert findings(protocol, held) == []


def test_what_the_real_sdk_sends_passes() -> None:
    def act() -> None:
        with sentry_sdk.start_transaction(op="task", name="spin"), sentry_sdk.start_span(op="db", name="SELECT 1"):
            logger.info("spun {times}", times=3)
            sentry_sdk.metrics.count("spins", 1)
            logging.getLogger("game").warning("low balance")
            try:
                _ = 1 / 0
            except ZeroDivisionError as problem:
                sentry_sdk.capture_exception(problem)

    assert of_sdk(protocol, act, traces_sample_rate=1.0, enable_logs=True) == []


ITEMS: list[tuple[str, str | None, Envelope]] = [
    ("unreadable", None, envelope(raw("event", b'{"extra": {"x": NaN}}'), event_id=ID)),
    ("unreadable", None, envelope(raw("event", b"[1]"), event_id=ID)),
    ("unreadable", None, envelope(raw("session", b"\xff"))),
    ("unreadable", "$.items", envelope(json_item("span", {"version": 2}, item_count=1, content_type=SPAN_CONTENT))),
    ("unknown-item-type", None, envelope(raw("evnet", b"{}"))),
    ("too-many-items", None, envelope(error(), transaction(span_id="00000000000000a2"), event_id=ID)),
    ("too-many-items", None, envelope(error(), error(), event_id=ID)),
    ("too-many-items", None, envelope(spans(span()), spans(span()))),
    ("too-many-items", None, batch(logs(log()), logs(log()))),
    ("too-large", None, envelope(error(extra={"dump": "x" * 1_048_576}), event_id=ID)),
    ("too-large", None, envelope(raw("client_report", b'{"discarded_events": [' + b" " * 4096 + b"]}"))),
    ("too-large", None, envelope(*[json_item("session", {})] * 101)),
    ("replay-incomplete", None, envelope(json_item("replay_event", {}))),
    ("replay-incomplete", None, envelope(raw("replay_recording", b"{}"))),
    ("content-type", None, envelope(json_item("log", {"items": [log()]}, item_count=1), trace_id=None)),
    (
        "content-type",
        None,
        batch(container("trace_metric", "application/vnd.sentry.items.trace_metric+json", metric())),
    ),
    (
        "item-count",
        "$.items",
        envelope(json_item("span", {"items": [span()]}, item_count=2, content_type=SPAN_CONTENT)),
    ),
    ("item-count", "$.items", batch(json_item("log", {"items": [log()]}, content_type=LOG_CONTENT))),
    (
        "invalid-entry",
        "$.items[1]",
        batch(json_item("log", {"items": [log(), "x"]}, item_count=2, content_type=LOG_CONTENT)),
    ),
    ("invalid-entry", "$.items[0].level", batch(logs(log(level="warning")))),
    ("invalid-entry", "$.items[0].body", batch(logs(log(body={"x": 1})))),
    ("invalid-entry", "$.items[1].timestamp", batch(logs(log(), log(timestamp="yesterday")))),
    ("invalid-entry", "$.items[0].value", batch(container("trace_metric", METRIC_CONTENT, metric(value="1")))),
    ("invalid-entry", "$.items[0].type", batch(container("trace_metric", METRIC_CONTENT, metric(type="set")))),
    ("invalid-entry", "$.items[0].name", batch(container("trace_metric", METRIC_CONTENT, metric(name="")))),
    ("invalid-entry", "$.items[0].span_id", envelope(spans(span(span_id="a1")))),
    ("invalid-entry", "$.items[0].status", envelope(spans(span(status="internal_error")))),
    ("invalid-entry", "$.items[0].end_timestamp", envelope(spans(span(end_timestamp=None)))),
    ("event-id", None, envelope(error(), event_id="42")),
    ("event-id", None, envelope(error())),
    ("event-id", None, envelope(error(event_id="0" * 32), event_id=ID)),
    ("dsn", None, envelope(error(), event_id=ID, dsn="https://sentry.io/1")),
    ("sent-at", None, envelope(error(), event_id=ID, sent_at="1970-01-01T00:16:40")),
    ("sent-at", None, envelope(error(), event_id=ID, sent_at=1000)),
]


@pytest.mark.parametrize(("detail", "path", "held"), ITEMS)
def test_a_broken_envelope_is_the_one_finding(detail: str, path: str | None, held: Envelope) -> None:
    found = findings(protocol, held)

    assert [(finding.code, finding.path, finding.service) for finding in found] == [
        (f"protocol.{detail}", path, "game")
    ]


def test_only_an_unknown_type_is_a_mere_warning() -> None:
    severities = {detail: findings(protocol, held)[0].severity for detail, _, held in ITEMS}

    assert {detail for detail, severity in severities.items() if severity is Severity.WARNING} == {
        "unknown-item-type"
    }


def test_the_message_of_an_unreadable_item_says_where() -> None:
    (found,) = findings(protocol, envelope(raw("event", b'{"extra": {"x": NaN}}'), event_id=ID))

    assert "NaN is not a JSON number at character 16" in found.message
    assert found.item == "item 0 of envelope 0 (event)"


def test_entries_of_other_traces_are_other_scenarios_business() -> None:
    assert findings(protocol, batch(logs(log(), log(trace_id=OTHER_TRACE, level="warning")))) == []


def test_an_entry_whose_trace_id_is_broken_is_everybodys_business() -> None:
    assert codes(findings(protocol, batch(logs(log(), log(trace_id="42"))))) == ["protocol.invalid-entry"]


SAMPLING: list[tuple[str, Envelope]] = [
    ("missing", envelope(spans(span()), trace_id=None)),
    ("unwanted", envelope(logs(log()))),
    ("unwanted", envelope(container("trace_metric", METRIC_CONTENT, metric()))),
    ("invalid", sampled(public_key=None)),
    ("invalid", sampled(sample_rate=1)),
    ("invalid", sampled(sample_rate="all")),
    ("invalid", sampled(sample_rand="1.5")),
    ("invalid", sampled(sampled="yes")),
    ("invalid", sampled(trace_id="42")),
    ("invalid", Envelope(headers={"trace": "0"}, items=[spans(span())])),
    ("contradictory", sampled(sampled="false")),
    ("contradictory", sampled(sample_rate="0.5", sample_rand="0.5")),
    ("mismatch", sampled(trace_id=OTHER_TRACE)),
    ("mismatch", envelope(error(trace_id=OTHER_TRACE), event_id=ID)),
    ("mismatch", envelope(transaction(span_id="00000000000000a2", trace_id=OTHER_TRACE), event_id=ID)),
]


@pytest.mark.parametrize(("detail", "held"), SAMPLING)
def test_a_broken_sampling_context_is_the_one_finding(detail: str, held: Envelope) -> None:
    assert codes(findings(protocol, held)) == [f"protocol.sampling-context-{detail}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"sample_rate": "0.25", "sample_rand": "0.2500001", "sampled": "false"},
        {"sample_rate": "0", "sample_rand": "0", "sampled": "false"},
        {"sample_rate": "0.25", "sample_rand": "0.2", "sampled": "true"},
        {"sampled": None},
        {"sample_rate": None},
        {"sampled": True},
    ],
)
def test_a_consistent_sampling_context_passes(changes: dict[str, Any]) -> None:
    assert findings(protocol, sampled(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"release": "game@1"}, "release is 'game@1', not 'trigger@1'"),
        ({"environment": "production"}, "environment is 'production', not missing"),
        ({"sample_rand": None}, "sample_rand is missing, not '0.5'"),
        ({"sample_rand": "0.25"}, "sample_rand is '0.25', not '0.5'"),
        (
            {"public_key": "other", "transaction": "/spin"},
            "public_key is 'other', not 'trigger'; transaction is '/spin'",
        ),
    ],
)
def test_a_sampling_context_that_is_not_the_triggers_is_found(changes: dict[str, Any], said: str) -> None:
    (found,) = findings(protocol, sampled(), sampled(**changes), sampled(**changes), sampling_context=ANNOUNCED)

    assert found.code == "protocol.sampling-context-changed"
    assert said in found.message
    assert "the trigger" in found.message
    assert found.item == "header `trace` of envelope 1 (span)"


def test_numbers_may_be_written_anew() -> None:
    rewritten = sampled(sample_rate="1.0", sample_rand="0.500000")

    assert findings(protocol, rewritten, sampling_context=ANNOUNCED) == []


def test_a_service_may_apply_a_rate_of_its_own_if_the_decision_stays() -> None:
    assert findings(protocol, sampled(sample_rate="0.75"), sampling_context=ANNOUNCED) == []
    found = findings(protocol, sampled(sample_rate="0.25"), sampling_context=ANNOUNCED)
    assert codes(found) == ["protocol.sampling-context-contradictory"]


def test_who_starts_a_trace_may_report_outside_of_its_spans() -> None:
    outside = sampled(sample_rate=None, sample_rand=None, sampled=None)
    assert findings(protocol, outside, sampled(), outside) == []
    # Whoever was told of a decision keeps to it.
    assert codes(findings(protocol, outside, sampling_context=ANNOUNCED)) == ["protocol.sampling-context-changed"]


def test_without_a_trigger_the_first_sampling_context_counts() -> None:
    found = findings(protocol, sampled(), sampled(environment="production"))

    assert codes(found) == ["protocol.sampling-context-changed"]
    assert "from that of game" in found[0].message


def test_whoever_starts_a_trace_may_learn_its_transaction_later() -> None:
    assert findings(protocol, sampled(), sampled(transaction="/spin/:id", replay_id=ID)) == []


SEGMENT = "00000000000000a2"


def timed(
    start: float, end: float, *children: dict[str, Any], sent_at: str | None = None, project: str = "1"
) -> Envelope:
    item = transaction(span_id=SEGMENT, start=start, spans=list(children), timestamp=end)
    return envelope(item, event_id=ID, **({} if sent_at is None else {"sent_at": sent_at}))


def at(moment: float, span_id: str = SEGMENT) -> Envelope:
    return envelope(error(event_id=ID, timestamp=moment, span_id=span_id), event_id=ID)


def clock(*held: Envelope, received_at: float = 110.0, **more: Any) -> list[Finding]:
    return findings(protocol, *held, received_at=received_at, **more)


def test_a_span_that_ends_before_it_begins_is_found() -> None:
    backwards = child_span("00000000000000a3", SEGMENT, "SELECT 1", start_timestamp=100.2, timestamp=100.1)
    streamed = sampled()
    streamed.items[0] = spans(span(start_timestamp=100.5, end_timestamp=100.4))

    assert [(found.code, found.path) for found in clock(timed(100, 101, backwards))] == [
        ("protocol.negative-duration", "$.timestamp")
    ]
    assert [(found.code, found.path) for found in clock(streamed)] == [
        ("protocol.negative-duration", "$.end_timestamp")
    ]
    assert clock(timed(100, 100)) == []


def test_a_child_that_begins_before_its_parent_is_found() -> None:
    early = child_span("00000000000000a3", SEGMENT, "SELECT 1", start_timestamp=98.5, timestamp=100.1)
    slightly = child_span("00000000000000a3", SEGMENT, "SELECT 1", start_timestamp=99.5, timestamp=100.1)

    assert codes(clock(timed(100, 101, early))) == ["protocol.child-before-parent"]
    assert clock(timed(100, 101, slightly)) == []
    assert codes(clock(timed(100, 101, slightly), options={"order_seconds": 0.1})) == ["protocol.child-before-parent"]


def test_an_event_before_its_span_is_found_but_one_after_it_may_be_of_work_left_behind() -> None:
    assert codes(clock(timed(100, 101), at(98.5))) == ["protocol.event-before-span"]
    assert clock(timed(100, 101), at(100.5)) == []
    assert clock(timed(100, 101), at(104)) == []


@pytest.mark.parametrize(
    ("held", "path"),
    [
        (at(116), "$.timestamp"),
        (timed(100, 116), "$.timestamp"),
        (batch(logs(log(timestamp=116))), "$.timestamp"),
        (Envelope(headers={"trace": CONTEXT}, items=[spans(span(end_timestamp=116))]), "$.end_timestamp"),
    ],
)
def test_what_lies_in_the_future_is_found(held: Envelope, path: str) -> None:
    assert [(found.code, found.path) for found in clock(held)] == [("protocol.future-timestamp", path)]
    assert clock(held, received_at=112) == []
    assert clock(held, options={"future_seconds": 10}) == []


@pytest.mark.parametrize(
    ("sent_at", "said"),
    [("1970-01-01T00:02:00Z", "10 s after it arrived"), ("1970-01-01T00:00:40Z", "70 s before it arrived")],
)
def test_a_wrong_clock_is_found_once_and_nothing_that_follows_from_it(sent_at: str, said: str) -> None:
    late = timed(130, 131, sent_at=sent_at)
    event_too = envelope(error(event_id=ID, timestamp=90, span_id=SEGMENT), event_id=ID, sent_at=sent_at)

    (found,) = clock(late, event_too)

    assert found.code == "protocol.clock-skew"
    assert said in found.message
    assert clock(timed(100, 101, sent_at="1970-01-01T00:01:48Z")) == []


def test_options_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="future_seconds must be a number"):
        clock(at(100), options={"future_seconds": "5"})


def refused(status: int) -> Refusal:
    detail = "invalid event envelope: malformed envelope at byte 3"
    return Refusal(100.0, "POST", "/api/1/envelope/", "", (), b"", status, detail, "game")


def test_what_the_collector_refused_is_found_over_the_run() -> None:
    (found,) = run_findings(protocol_of_run, refusals=(refused(400), refused(429)))

    assert found.code == "protocol.refused"
    assert found.service == "game"
    assert "malformed envelope at byte 3" in found.message


def test_what_the_collector_itself_could_not_keep_leaves_nothing_proved() -> None:
    (found,) = run_findings(protocol_of_run, refusals=(refused(503), refused(503)))

    assert (found.code, found.service, found.severity) == ("protocol.not-kept", "game", "error")
    assert "2 requests are missing" in found.message


def test_what_was_refused_for_the_same_reason_is_said_once() -> None:
    (found,) = run_findings(protocol_of_run, refusals=(refused(400), refused(400), refused(400)))

    assert found.message.endswith("(2 more requests alike)")
    assert len(run_findings(protocol_of_run, refusals=(refused(400), refused(413)))) == 2


def test_what_belongs_to_no_trace_is_judged_over_the_run() -> None:
    broken = envelope(raw("sessions", b"{"), trace_id=None)

    assert codes(run_findings(protocol_of_run, broken)) == ["protocol.unreadable"]
    assert codes(run_findings(protocol_of_run, envelope(raw("event", b"{"), trace_id=None))) == [
        "protocol.unreadable"
    ]
    # In a trace it was judged with its scenario.
    assert run_findings(protocol_of_run, envelope(raw("event", b"{"))) == []
    assert run_findings(protocol_of_run, envelope(json_item("sessions", {"aggregates": []}), trace_id=None)) == []


def test_a_float_that_json_does_not_have_cannot_hide() -> None:
    assert codes(findings(protocol, envelope(error(extra={"load": math.inf}), event_id=ID))) == [
        "protocol.unreadable"
    ]
