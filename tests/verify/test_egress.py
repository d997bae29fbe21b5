from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import replace
from typing import Any

from harness.collector.arrival import Opened
from harness.verify.egress import Parcel, parcels
from harness.wire.envelope import Envelope, Item
from tests.samples import LOG_CONTENT, OTHER_TRACE, TRACE, arrival, container, envelope, error, json_item

EVENTS = [{"type": 3, "data": {"payload": {"text": "typed-by-the-user"}}}]


def sent(held: Envelope, **changes: Any) -> list[Parcel]:
    return list(parcels([replace(arrival(0, held), **changes)], {"1": "game"}))


def places(found: list[Parcel], text: str) -> list[tuple[str | None, str]]:
    """Trace and path of everything that has a text."""
    hits: list[tuple[str | None, str]] = []
    for parcel in found:
        inside = [passage.path for passage in parcel.passages() if text in passage.text]
        assert bool(inside) == (text in parcel.text)
        hits += [(parcel.trace_id, path) for path in inside]
    return hits


def attachment(payload: bytes, **headers: Any) -> Item:
    return Item(headers={"type": "attachment", "filename": "trace.log", **headers}, payload=payload)


def test_every_string_key_and_long_number_of_an_event_has_its_path() -> None:
    item = error(
        contexts={"wallet": {"needle-key": 1, "other-key": 1, "pan": 4111111111111111, "small": 12345}},
        breadcrumbs={"values": [{"message": "a needle here"}]},
    )
    found = sent(envelope(item))
    assert places(found, "needle") == [
        (TRACE, "$.contexts.wallet.needle-key"),
        (TRACE, "$.breadcrumbs.values[0].message"),
    ]
    assert places(found, "other-key") == [(TRACE, "$.contexts.wallet.other-key")]
    assert places(found, "4111111111111111") == [(TRACE, "$.contexts.wallet.pan")]
    assert places(found, "12345") == []


def test_an_item_is_named_as_in_every_diagnosis() -> None:
    (_, parcel) = sent(envelope(error(value="boom")))
    assert parcel.item.startswith("game: ValueError: boom [error, tornado, unhandled]")
    assert parcel.service == "game"


def test_a_label_quotes_nothing() -> None:
    logs = container("log", LOG_CONTENT, {"trace_id": TRACE, "body": "secret"})
    labels = [
        parcel.label for parcel in sent(envelope(error(value="secret", event_id="e1"), logs, attachment(b"secret")))
    ]
    assert labels == [
        "game: headers of envelope 0",
        "game: event e1 of envelope 0",
        "game: log of envelope 0",
        "game: log item of envelope 0",
        "game: attachment trace.log of envelope 0",
    ]


def test_entries_of_a_batch_belong_to_their_own_traces() -> None:
    logs = [{"trace_id": trace, "body": f"needle {trace}", "attributes": {}} for trace in (TRACE, OTHER_TRACE)]
    found = sent(envelope(container("log", LOG_CONTENT, *logs), trace_id=None))
    assert places(found, "needle") == [(TRACE, "$.items[0].body"), (OTHER_TRACE, "$.items[1].body")]


def test_source_lines_of_the_application_count_and_those_of_libraries_do_not() -> None:
    frames = [
        {"in_app": True, "context_line": "needle = 1", "pre_context": ["# needle"]},
        {"in_app": False, "context_line": "needle = 2", "post_context": ["# needle"], "vars": {"x": "needle"}},
    ]
    item = json_item("event", {"exception": {"values": [{"type": "E", "stacktrace": {"frames": frames}}]}})
    start = "$.exception.values[0].stacktrace.frames"
    assert [path for _, path in places(sent(envelope(item)), "needle")] == [
        f"{start}[0].context_line",
        f"{start}[0].pre_context[0]",
        f"{start}[1].vars.x",
    ]


def test_recordings_are_unpacked() -> None:
    head = b'{"segment_id":0}\n'
    for packed in (zlib.compress(json.dumps(EVENTS).encode()), json.dumps(EVENTS).encode()):
        recording = Item(headers={"type": "replay_recording"}, payload=head + packed)
        found = sent(envelope(json_item("replay_event", {"replay_id": "1"}), recording))
        assert places(found, "typed-by-the-user") == [(TRACE, "$[0].data.payload.text")]


def test_a_damaged_recording_is_read_as_it_is() -> None:
    damaged = zlib.compress(json.dumps(EVENTS).encode())[:-4]
    recording = Item(headers={"type": "replay_recording"}, payload=b'{"segment_id":0}\n' + damaged + b"needle")
    assert places(sent(envelope(recording)), "needle") == [(TRACE, "$")]


def test_attachments_are_read_whatever_they_are() -> None:
    for payload in (b"\xff\xfe needle", gzip.compress(b"a needle")):
        assert places(sent(envelope(attachment(payload))), "needle") == [(TRACE, "payload")]
    assert places(sent(envelope(attachment(b'{"view": {"text": "needle"}}'))), "needle") == [
        (TRACE, "payload.view.text")
    ]


def test_an_attachment_without_sampling_context_belongs_to_the_event_beside_it() -> None:
    found = sent(envelope(error(), attachment(b"needle"), trace_id=None))
    assert places(found, "needle") == [(TRACE, "payload")]


def test_names_of_files_count() -> None:
    found = sent(envelope(attachment(b"", filename="needle.log")))
    assert places(found, "needle") == [(TRACE, "item.headers.filename")]


def test_an_unreadable_payload_is_searched_as_text() -> None:
    broken = Item(headers={"type": "event"}, payload=b'{"message": "needle')
    assert places(sent(envelope(broken)), "needle") == [(TRACE, "payload")]


def test_headers_of_request_and_envelope_count_but_not_the_key_of_the_dsn() -> None:
    held = envelope(error(), dsn="https://needle-dsn@sentry.invalid/1", sdk={"name": "needle-sdk"})
    headers = (("referer", "https://shop/?needle=1"), ("x-sentry-auth", "Sentry sentry_key=needle-key"))
    found = sent(held, headers=headers, query="a=needle-query")
    assert places(found, "needle") == [
        (TRACE, "request.headers.referer"),
        (TRACE, "request.query"),
        (TRACE, "envelope.headers.sdk.name"),
    ]


def test_the_body_of_an_endpoint_without_envelopes_counts() -> None:
    found = sent(envelope(), endpoint="minidump", content=Opened(b"MDMP needle", None))
    assert places(found, "needle") == [(None, "payload")]
