from __future__ import annotations

import json
import zlib

import pytest

from harness.telemetry.origin import Origin
from harness.telemetry.reading import Telemetry, read_telemetry
from harness.wire.envelope import Envelope, Item
from tests.samples import (
    LOG_CONTENT,
    METRIC_CONTENT,
    OTHER_TRACE,
    SPAN_CONTENT,
    TRACE,
    TRIGGER_SPAN,
    child_span,
    container,
    envelope,
    error,
    json_item,
    streamed_span,
    transaction,
)

ORIGIN = Origin(service="game-engine", project_id="7")


def read(*envelopes: Envelope) -> Telemetry:
    return read_telemetry((held, ORIGIN) for held in envelopes)


def test_error_event_shows_the_newest_exception_of_the_chain() -> None:
    chain = {"values": [{"type": "KeyError", "value": "'x'"}, {"type": "SpinError", "value": "no reel"}]}
    (event,) = read(envelope(json_item("event", {"exception": chain}))).events
    assert (event.type, event.value) == ("SpinError", "no reel")
    assert [exception.type for exception in event.exceptions] == ["KeyError", "SpinError"]
    assert not event.is_message


def test_error_event_properties() -> None:
    item = error(
        tags=[["service", "game-engine"]],
        user={"id": "u1"},
        release="game@1",
        environment="verification",
        breadcrumbs={"values": [{"category": "slot", "message": "spin", "timestamp": "2026-11-23T23:27:37.5Z"}]},
        timestamp="2026-11-23T23:27:37.704127Z",
        level="fatal",
    )
    (event,) = read(envelope(item, event_id="A" * 32)).events
    assert event.service == "game-engine"
    assert event.event_id == "a" * 32
    assert event.tags == {"service": "game-engine"}
    assert event.mechanism.type == "tornado"
    assert event.handled is False
    assert event.level == "fatal"
    assert [crumb.category for crumb in event.breadcrumbs] == ["slot"]
    assert event.breadcrumbs[0].timestamp == pytest.approx(1795476457.5)
    assert event.timestamp == pytest.approx(1795476457.704127)
    assert event.frames[-1].function == "spin"
    assert event.trace_id == TRACE
    assert event.parent_span_id == TRIGGER_SPAN
    assert event.title == "ValueError: boom"


def test_a_message_with_a_synthetic_exception_is_a_message() -> None:
    # JavaScript SDKs attach the stack trace of a message as an exception without a type.
    synthetic = {
        "values": [{"value": "leaked", "mechanism": {"type": "generic", "handled": True, "synthetic": True}}]
    }
    (event,) = read(envelope(json_item("event", {"message": "leaked", "exception": synthetic}))).events
    assert event.is_message
    assert event.title == "leaked"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"exception": None, "tags": None, "breadcrumbs": None, "contexts": None, "user": None},
        {
            "exception": {"values": [None, 3]},
            "tags": "x",
            "breadcrumbs": ["x"],
            "contexts": [],
            "user": 4,
            "level": 9,
        },
        {"exception": [{"type": 4, "stacktrace": {"frames": [None, {"lineno": "7"}]}}], "timestamp": "yesterday"},
    ],
)
def test_wrong_shapes_are_readable(payload: dict[str, object]) -> None:
    (event,) = read(envelope(json_item("event", payload))).events
    assert event.level == "error"
    assert event.tags == {}
    assert event.user == {}
    assert event.timestamp is None
    assert isinstance(event.title, str)
    assert isinstance(event.frames, tuple)
    assert isinstance(event.breadcrumbs, tuple)


def test_transaction_and_streamed_spans_are_one_model() -> None:
    client = child_span(
        "00000000000000c1", "00000000000000a1", "GET http://127.0.0.1:9/x", data={"http.method": "GET"}
    )
    static = transaction("GET /spin", span_id="00000000000000a1", spans=[client], release="game@1")
    stream = container(
        "span",
        SPAN_CONTENT,
        streamed_span("GET /spin", span_id="00000000000000b1", parent=TRIGGER_SPAN, segment=True),
        streamed_span(
            "db", span_id="00000000000000b2", parent="00000000000000b1", op="db", attributes={"db.system": "sqlite"}
        ),
    )
    spans = read(envelope(static), envelope(stream)).spans
    assert [(span.name, span.op, span.is_segment, span.form) for span in spans] == [
        ("GET /spin", "http.server", True, "transaction"),
        ("GET http://127.0.0.1:9/x", "http.client", False, "transaction"),
        ("GET /spin", "http.server", True, "streamed"),
        ("db", "db", False, "streamed"),
    ]
    assert spans[0].duration_ms == pytest.approx(250)
    assert spans[1].url == "http://127.0.0.1:9/x"
    assert spans[1].trace_id == TRACE
    assert spans[2].parent_span_id == TRIGGER_SPAN
    assert spans[3].attributes["db.system"] == "sqlite"


def test_http_status_is_found_under_every_name() -> None:
    named = [
        streamed_span("a", span_id="1" * 16, parent=None, attributes={"http.response.status_code": 500}),
        streamed_span("b", span_id="2" * 16, parent=None, attributes={"http.status_code": "502"}),
    ]
    spans = read(envelope(container("span", SPAN_CONTENT, *named))).spans
    item = transaction("t", span_id="3" * 16)
    payload = json.loads(item.payload)
    payload["contexts"]["response"] = {"status_code": 504}
    (of_context,) = read(envelope(json_item("transaction", payload))).spans
    (without,) = read(envelope(item)).spans
    assert [span.http_status for span in (*spans, of_context, without)] == [500, 502, 504, None]


def test_the_sdks_own_requests_are_recognised_without_hiding_real_ones() -> None:
    def client(span_id: str, url: str, op: str = "http.client") -> dict[str, object]:
        return child_span(span_id, "00000000000000a1", f"POST {url}", op=op)

    spans = read(
        envelope(
            transaction(
                span_id="00000000000000a1",
                spans=[
                    client("00000000000000c1", "http://127.0.0.1:4000/api/7/envelope/"),
                    client("00000000000000c2", "http://127.0.0.1:4000/api/8/envelope/"),
                    client("00000000000000c3", "http://127.0.0.1:4000/api/7/envelope/other"),
                    client("00000000000000c4", "http://127.0.0.1:4000/api/7/envelope/", op="function"),
                ],
            )
        )
    ).spans
    assert [span.is_sdk_transport for span in spans] == [False, True, False, False, False]


def test_logs_and_metrics_of_mixed_traces_are_told_apart() -> None:
    logs = [{"body": "mine", "level": "info", "trace_id": TRACE}, {"body": "theirs", "trace_id": OTHER_TRACE}]
    metrics = [
        {
            "name": "spins",
            "type": "counter",
            "value": 1,
            "trace_id": TRACE,
            "attributes": {"game": {"value": "slots"}},
        },
        {"name": "spins", "type": "counter", "value": 2, "trace_id": OTHER_TRACE},
    ]
    telemetry = read(
        envelope(container("log", LOG_CONTENT, *logs), trace_id=None),
        envelope(container("trace_metric", METRIC_CONTENT, *metrics), trace_id=None),
    )
    assert len(telemetry.logs) == len(telemetry.metrics) == 2
    mine = telemetry.within(TRACE)
    assert [log.body for log in mine.logs] == ["mine"]
    assert [(metric.value, metric.attributes) for metric in mine.metrics] == [(1.0, {"game": "slots"})]


def test_an_events_own_trace_decides_over_the_envelope_header() -> None:
    telemetry = read(envelope(error(trace_id=OTHER_TRACE), trace_id=TRACE))
    assert telemetry.within(TRACE).events == ()
    assert len(telemetry.within(OTHER_TRACE).events) == 1


def test_attachment_bytes_and_its_events_trace() -> None:
    blob = Item(headers={"type": "attachment", "filename": "core.bin"}, payload=bytes(range(256)))
    (attachment,) = read(envelope(error(), blob, trace_id=None, event_id="b" * 32)).attachments
    assert attachment.payload == bytes(range(256))
    assert (attachment.filename, attachment.trace_id, attachment.event_id) == ("core.bin", TRACE, "b" * 32)


def test_sessions_single_and_aggregated() -> None:
    single = json_item("session", {"sid": "s", "status": "crashed", "attrs": {"release": "panel@1"}})
    aggregated = json_item("sessions", {"attrs": {"release": "game@1"}, "aggregates": [{"exited": 4, "crashed": 1}]})
    one, many = read(envelope(single, trace_id=None), envelope(aggregated, trace_id=None)).sessions
    assert (one.release, one.status, one.count("crashed"), one.count("exited")) == ("panel@1", "crashed", 1, 0)
    assert (many.release, many.status, many.count("crashed"), many.count("exited")) == ("game@1", None, 1, 4)


def test_a_recording_is_unpacked() -> None:
    events = b'[{"type":4}]'
    for sent in (zlib.compress(events), events):
        recording = Item(headers={"type": "replay_recording"}, payload=b'{"segment_id":0}\n' + sent)
        (replay,) = read(envelope(json_item("replay_event", {"replay_id": "r"}), recording, trace_id=None)).replays
        assert replay.recorded == '[{"type":4}]'


def test_feedback_says_what_about_which_event() -> None:
    told = {"contexts": {"feedback": {"message": "stuck", "associated_event_id": "e"}}, "event_id": "own"}
    report = {"comments": "stuck", "event_id": "e"}
    for item in (json_item("feedback", told), json_item("user_report", report)):
        (feedback,) = read(envelope(item, trace_id=None)).feedback
        assert (feedback.message, feedback.associated_event_id) == ("stuck", "e")


def test_client_report_profile_check_in_replay_and_feedback() -> None:
    dropped = {"discarded_events": [{"reason": "before_send", "category": "error", "quantity": 2}]}
    frames = {"frames": [{"function": "burn"}, {"function": "main"}], "samples": [{}, {}, {}]}
    profiled = {"profile": frames, "transactions": [{"name": "cpu", "trace_id": TRACE}]}
    telemetry = read(
        envelope(json_item("client_report", dropped), trace_id=None),
        envelope(json_item("profile", profiled), trace_id=None),
        envelope(json_item("profile_chunk", {"profile": frames}), trace_id=None),
        envelope(json_item("check_in", {"monitor_slug": "nightly", "status": "ok"})),
        envelope(
            json_item("replay_event", {"replay_id": "r", "trace_ids": [TRACE]}),
            Item(headers={"type": "replay_recording"}, payload=b"\x00\x01"),
            trace_id=None,
        ),
        envelope(json_item("feedback", {"contexts": {"trace": {"trace_id": TRACE}}}), trace_id=None),
    )
    (discard,) = telemetry.client_reports[0].discarded
    assert (discard.reason, discard.category, discard.quantity) == ("before_send", "error", 2)
    assert telemetry.profiles[0].functions == {"burn", "main"}
    assert telemetry.profiles[0].sample_count == 3
    assert [profile.continuous for profile in telemetry.profiles] == [False, True]
    assert telemetry.check_ins[0].monitor == "nightly"
    assert telemetry.replays[0].recording == b"\x00\x01"
    inside = telemetry.within(TRACE)
    assert [len(kind) for kind in (inside.profiles, inside.check_ins, inside.replays, inside.feedback)] == [
        1,
        1,
        1,
        1,
    ]
    assert inside.client_reports == ()


def test_nothing_is_lost_when_it_cannot_be_read() -> None:
    items = [
        Item(headers={"type": "event"}, payload=b"{not json"),
        json_item("event", [1, 2]),
        json_item("hologram", {"x": 1}),
        Item(headers={"type": "replay_recording"}, payload=b"alone"),
    ]
    unread = read(envelope(*items)).unread
    assert [view.type for view in unread] == ["event", "event", "hologram", "replay_recording"]
    assert [view.payload for view in unread] == [item.payload for item in items]
    assert "JSON list" in unread[1].reason
    assert "replay_event" in unread[3].reason


def test_a_replay_belongs_to_the_trace_whose_error_names_it() -> None:
    named = envelope(json_item("replay_event", {"replay_id": "a" * 32, "trace_ids": []}), trace_id=None)
    other = envelope(json_item("replay_event", {"replay_id": "b" * 32, "trace_ids": []}), trace_id=None)
    by_tag, by_context = {"replayId": "a" * 32}, {"replay": {"replay_id": "a" * 32}}
    for naming in (error(tags=by_tag), error(contexts=by_context)):
        inside = read(envelope(naming), named, other).within(TRACE)
        assert [replay.replay_id for replay in inside.replays] == ["a" * 32]
    assert read(envelope(error()), named).within(TRACE).replays == ()
