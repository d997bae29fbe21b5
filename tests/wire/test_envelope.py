"""The envelope parser and writer: what Relay accepts and refuses, and that no byte is lost."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.envelope import Envelope as SdkEnvelope
from sentry_sdk.transport import Transport

from harness.wire import Envelope, Item, MalformedEnvelope, MalformedPayload

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.dictionaries(st.text().filter(lambda name: name not in ("type", "length")), JSON_VALUES, max_size=4)


@st.composite
def wire_items(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """Headers and payload of an item, with a length or, where the payload allows it, without."""
    payload = draw(st.binary(max_size=60) | st.sampled_from([b"", b"\n", b"{}\n{}", b"\r\n", b"\0\xff"]))
    headers = {**draw(HEADERS), "type": draw(st.sampled_from(["event", "attachment", "from_the_future", ""]))}
    if b"\n" in payload or draw(st.booleans()):
        headers["length"] = len(payload)
    return headers, payload


@st.composite
def wire_envelopes(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]], bytes]:
    """Envelope headers, items, and a body that has them, written in one of the spellings that JSON allows."""
    ascii_only, end = draw(st.booleans()), draw(st.sampled_from([b"", b"\n"]))
    headers, items = draw(HEADERS), draw(st.lists(wire_items(), max_size=3))
    parts = [json.dumps(headers, ensure_ascii=ascii_only).encode()]
    for item_headers, payload in items:
        parts += [json.dumps(item_headers, ensure_ascii=ascii_only).encode(), payload]
    return headers, items, b"\n".join(parts) + end


def parse_or_refusal(body: bytes) -> Envelope | MalformedEnvelope:
    """The envelope, or the one error with which a body may be refused."""
    try:
        return Envelope.parse(body)
    except MalformedEnvelope as error:
        return error


@given(wire_envelopes())
def test_every_envelope_is_read_and_written_back_byte_for_byte(
    sent: tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]], bytes],
) -> None:
    headers, items, body = sent
    envelope = Envelope.parse(body)
    assert envelope.headers == headers
    assert [(item.headers, item.payload) for item in envelope.items] == items
    assert envelope.serialize() == body


@given(wire_envelopes())
def test_canonical_form_carries_the_same_content(
    sent: tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]], bytes],
) -> None:
    headers, items, _ = sent
    by_hand = Envelope(headers, [Item(item_headers, payload) for item_headers, payload in items])
    envelope = Envelope.parse(by_hand.serialize())
    assert envelope.headers == headers
    assert [item.payload for item in envelope.items] == [payload for _, payload in items]
    assert all(item.headers["length"] == len(item.payload) for item in envelope.items)


@given(wire_envelopes(), st.data())
def test_a_truncated_envelope_is_refused_or_a_legal_shorter_one(
    sent: tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]], bytes], data: st.DataObject
) -> None:
    headers, items, whole = sent
    body = whole[: data.draw(st.integers(min_value=0, max_value=len(whole)), label="cut")]
    envelope = parse_or_refusal(body)
    if isinstance(envelope, MalformedEnvelope):
        assert 0 <= envelope.offset <= len(body)
        return
    assert envelope.headers == headers
    assert envelope.serialize() == body
    arrived = [(item.headers, item.payload) for item in envelope.items]
    assert arrived[:-1] == items[: max(len(arrived) - 1, 0)]
    if arrived:
        last_headers, last_payload = items[len(arrived) - 1]
        assert arrived[-1][0] == last_headers
        # Only a payload without declared length can be cut unnoticed; Relay takes it as well.
        if "length" in last_headers:
            assert arrived[-1][1] == last_payload
        else:
            assert last_payload.startswith(arrived[-1][1])


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\n\\ue0typlength1', max_size=80).map(str.encode))
def test_arbitrary_bytes_never_do_more_than_be_refused(body: bytes) -> None:
    envelope = parse_or_refusal(body)
    if isinstance(envelope, MalformedEnvelope):
        assert 0 <= envelope.offset <= len(body)
    else:
        assert envelope.serialize() == body


@pytest.mark.parametrize(
    ("body", "payloads"),
    [
        pytest.param(b"{}", [], id="headers only, end of body"),
        pytest.param(b"{}\n", [], id="headers only, newline"),
        pytest.param(b'{}\n{"type":"event"}', [b""], id="item header at the end of the body"),
        pytest.param(b'{}\n{"type":"event"}\n', [b""], id="item header, then nothing"),
        pytest.param(b'{}\n{"type":"event","length":0}\n', [b""], id="length 0 at the end"),
        pytest.param(b'{}\n{"type":"event","length":0}\n\n', [b""], id="length 0 and newline"),
        pytest.param(b'{}\n{"type":"event"}\n\n', [b""], id="empty payload without length"),
        pytest.param(b'{}\n{"type":"a","length":0}\n\n{"type":"b","length":0}', [b"", b""], id="two empty items"),
        pytest.param(b'{}\n{"type":"event","length":3}\na\nb', [b"a\nb"], id="newline inside a payload with length"),
        pytest.param(b'{}\n{"type":"event","length":3}\na\n\n\n', [b"a\n\n"], id="payload that ends in newlines"),
        pytest.param(b'{}\n{"type":"event"}\nabc\r\n', [b"abc\r"], id="carriage return belongs to the payload"),
        pytest.param(b'{}\n{"type":"event","length":null}\nabc\n', [b"abc"], id="null is no length"),
        pytest.param(b'{}\n{"type":"a"}\nx\n\n{"type":"b"}\ny', [b"x", b"y"], id="blank line between items"),
        pytest.param(b'\r\n {}\n\t{"type":"a"}\nx', [b"x"], id="whitespace before headers"),
        pytest.param('{"ключ":"ü"}\n{"type":"a"}\nx'.encode(), [b"x"], id="UTF-8 in a header"),
        pytest.param(b'{"a":"\\u2028","b":"\xe2\x80\xa8"}\n', [], id="line separators do not end a line"),
        pytest.param(b'{"a":1,"a":2}\n{"type":"x","type":"y"}\n', [b""], id="repeated keys"),
    ],
)
def test_accepted_as_by_relay(body: bytes, payloads: list[bytes]) -> None:
    envelope = Envelope.parse(body)
    assert [item.payload for item in envelope.items] == payloads
    assert envelope.serialize() == body


@pytest.mark.parametrize(
    ("body", "offset", "reason"),
    [
        pytest.param(b"", 0, "empty", id="empty body"),
        pytest.param(b" \n", 2, "empty", id="blank body"),
        pytest.param(b"nonsense", 0, "not a line of JSON", id="no JSON"),
        pytest.param(b"[]\n", 0, "envelope header must be a JSON object", id="headers are a list"),
        pytest.param(b'{"a":\n1}\n', 5, "not a line of JSON", id="headers over two lines"),
        pytest.param(b"{}\r\n", 2, r"followed by '\r'", id="carriage return after the headers"),
        pytest.param(b"{} \n", 2, "followed by ' '", id="space after the headers"),
        pytest.param(
            b'{}\n{"type":"event"} \nx', 19, "header of item 0 is followed by ' '", id="space after item header"
        ),
        pytest.param(b"{}x\n", 2, "Extra data", id="garbage after the headers"),
        pytest.param(b'{"a":"\xff"}\n', 6, "envelope header is not valid UTF-8", id="UTF-8 in the headers"),
        pytest.param(b'{}\n{"type":"\xc3"}\n', 12, "header of item 0 is not valid UTF-8", id="UTF-8 in item header"),
        pytest.param(b"\xef\xbb\xbf{}\n", 0, "not a line of JSON", id="byte order mark"),
        pytest.param('{"ü":x}\n'.encode(), 6, "not a line of JSON", id="offset counts bytes"),
        pytest.param(b"{}\n\n", 3, "only whitespace follows", id="blank line without items"),
        pytest.param(b'{}\n{"type":"a"}\nx\n\n', 18, "only whitespace follows", id="blank line after the last item"),
        pytest.param(b'{}\n{"type":"a"}\nx\n \t', 18, "only whitespace follows", id="spaces after the last item"),
        pytest.param(
            b'{}\n{"type":"a"}\nx\ngarbage', 18, "header of item 1 is not a line of JSON", id="garbage at the end"
        ),
        pytest.param(
            b'{}\n{"type":"a","length":9}\nabc', 27, "declares 9 bytes of payload, 3 follow", id="too short"
        ),
        pytest.param(b'{}\n{"type":"a","length":1}', 26, "declares 1 bytes of payload, 0 follow", id="no payload"),
        pytest.param(b'{}\n{"type":"a","length":2}\nabc\n', 29, "longer than its `length` of 2", id="too long"),
        pytest.param(b'{}\n{"length":2}\nab', 3, "header of item 0 needs a `type`", id="no type"),
        pytest.param(b'{}\n{"type":7}\nab', 3, "header of item 0 needs a `type`", id="type is a number"),
        pytest.param(b'{}\n["type"]\nab', 3, "header of item 0 must be a JSON object", id="item headers are a list"),
        pytest.param(b'{"a":NaN}\n', 5, "NaN is not a JSON number", id="NaN"),
        pytest.param(b'{"NaN":-Infinity}\n', 7, "-Infinity is not a JSON number", id="infinity"),
        pytest.param(b'{"a":"\\\\ud800","b":"\\ud83d"}\n', 20, "half of a surrogate pair", id="lone surrogate"),
        pytest.param(b"{}\n" + b'{"a":' * 100_000, 3, "nested too deeply", id="nesting"),
        pytest.param(b'{"a":' + b"9" * 10_000 + b"}", 5, "is out of range", id="endless number"),
    ],
)
def test_refused_as_by_relay(body: bytes, offset: int, reason: str) -> None:
    with pytest.raises(MalformedEnvelope) as refused:
        Envelope.parse(body)
    assert refused.value.offset == offset
    assert reason in refused.value.reason
    assert str(refused.value) == f"malformed envelope at byte {offset}: {refused.value.reason}"


@pytest.mark.parametrize("length", ["-1", "1.0", '"1"', "true", "4294967296", "[1]"])
def test_a_length_that_is_not_a_number_of_bytes_is_refused(length: str) -> None:
    with pytest.raises(MalformedEnvelope, match="`length` that is not a whole number of bytes") as refused:
        Envelope.parse(f'{{}}\n{{"type":"a","length":{length}}}\nx'.encode())
    assert refused.value.offset == 3


def test_unknown_types_and_headers_are_kept() -> None:
    body = b'{"novelty":{"deep":[1]}}\n{"type":"from_the_future","x-y":[null]}\npayload\n'
    envelope = Envelope.parse(body)
    assert envelope.headers == {"novelty": {"deep": [1]}}
    assert envelope.items == [Item({"type": "from_the_future", "x-y": [None]}, b"payload")]
    assert envelope.items[0].type == "from_the_future"


@pytest.mark.parametrize(
    ("sent", "event_id"),
    [
        ("9ec79c33ec9942ab8353589fcb2e04dc", "9ec79c33ec9942ab8353589fcb2e04dc"),
        ("9EC79C33-EC99-42AB-8353-589FCB2E04DC", "9ec79c33ec9942ab8353589fcb2e04dc"),
        ("9ec79c33ec-9942ab8353589fcb2e04dc", None),
        ("9ec79c33ec9942ab8353589fcb2e04dc\n", None),
        ("", None),
        (12, None),
        (None, None),
        (["9ec79c33ec9942ab8353589fcb2e04dc"], None),
    ],
)
def test_event_id_is_normalised(sent: object, event_id: str | None) -> None:
    assert Envelope.parse(json.dumps({"event_id": sent}).encode()).event_id == event_id


def test_headers_of_the_wrong_type_read_as_absent() -> None:
    envelope = Envelope.parse(b'{"event_id":{},"dsn":[1],"trace":"x"}\n{"type":"a","content_type":5}\n')
    assert (envelope.event_id, envelope.dsn, envelope.trace) == (None, None, None)
    assert envelope.items[0].content_type is None


def test_headers_are_at_hand_as_properties() -> None:
    envelope = Envelope.parse(
        b'{"dsn":"http://k@h/1","trace":{"trace_id":"t","public_key":"k","sampled":true,"replay_id":null}}\n'
        b'{"type":"log","content_type":"application/vnd.sentry.items.log+json"}\n'
    )
    assert envelope.dsn == "http://k@h/1"
    assert envelope.trace == {"trace_id": "t", "public_key": "k"}
    assert envelope.items[0].content_type == "application/vnd.sentry.items.log+json"
    assert Envelope.parse(b"{}").trace is None


def test_a_changed_copy_serializes_its_change() -> None:
    parsed = Envelope.parse(b'{"a": 1}\n{"type": "event"}\n{}\n')
    changed = replace(parsed, items=[*parsed.items, Item({"type": "attachment"}, b"\n\n")])
    assert changed.serialize() == (
        b'{"a":1}\n{"type":"event","length":2}\n{}\n{"type":"attachment","length":2}\n\n\n\n'
    )
    assert Envelope().serialize() == b"{}\n"


def test_a_stale_length_is_corrected_when_written_by_hand() -> None:
    assert (
        Envelope({}, [Item({"length": 99, "type": "a"}, b"xy")]).serialize() == b'{}\n{"length":2,"type":"a"}\nxy\n'
    )


@pytest.mark.parametrize("headers", [{}, {"type": None}, {"type": 1}])
def test_an_item_by_hand_needs_a_type(headers: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="needs a `type` header"):
        Item(headers, b"")


def test_what_json_does_not_have_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Envelope({"rate": float("nan")}).serialize()


def test_envelopes_and_errors_survive_pickling() -> None:
    envelope = Envelope.parse(b'{ }\n{"type":"event"}\n\x00\xff')
    copy = pickle.loads(pickle.dumps(envelope))
    assert copy == envelope
    assert copy.serialize() == b'{ }\n{"type":"event"}\n\x00\xff'
    for error in (MalformedEnvelope(7, "why"), MalformedPayload("event", "why")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_equality_is_about_content_not_spelling() -> None:
    assert Envelope.parse(b'{"a": 1}') == Envelope.parse(b'{"a":1}\n')


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"{", "Expecting property name enclosed in double quotes at character 1", id="cut short"),
        pytest.param(b'{"a":1}}', "Extra data at character 7", id="extra data"),
        pytest.param(b"", "Expecting value at character 0", id="empty"),
        pytest.param(b'{"a":"\xff"}', "invalid UTF-8 at byte 6", id="not UTF-8"),
        pytest.param('{"a":1}'.encode("utf-16"), "invalid UTF-8 at byte 0", id="UTF-16"),
        pytest.param(b'{"NaN":"NaN \\" NaN","b":NaN}', "NaN is not a JSON number at character 24", id="NaN"),
        pytest.param(
            b'["\\ud83d\\ude00","\\ud83d x"]', r"\ud83d is half of a surrogate pair at character 17", id="high"
        ),
        pytest.param(b'["\\\\ud83d","\\uDE00"]', r"\uDE00 is half of a surrogate pair at character 12", id="low"),
        pytest.param(b"[" * 100_000, "nested too deeply at character 0", id="nesting"),
        pytest.param(b"9" * 10_000, "is out of range", id="endless number"),
    ],
)
def test_a_payload_that_relay_would_not_read_is_malformed(payload: bytes, reason: str) -> None:
    with pytest.raises(MalformedPayload) as refused:
        Item({"type": "event"}, payload).json()
    assert str(refused.value).startswith("payload of the 'event' item is not valid JSON: ")
    assert reason in refused.value.reason
    assert refused.value.item_type == "event"


@given(JSON_VALUES, st.booleans())
def test_a_valid_payload_is_read(value: object, ascii_only: bool) -> None:
    assert Item({"type": "event"}, json.dumps(value, ensure_ascii=ascii_only).encode()).json() == value


def test_whitespace_around_a_payload_is_allowed() -> None:
    assert Item({"type": "event"}, b' \r\n{"a": 1}\t').json() == {"a": 1}


class RecordingTransport(Transport):
    """Keeps the bytes that the SDK would send."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def capture_envelope(self, envelope: SdkEnvelope) -> None:
        self.bodies.append(envelope.serialize())


def test_what_the_real_sdk_sends_is_read() -> None:
    transport = RecordingTransport()
    client = sentry_sdk.Client(dsn="http://key@127.0.0.1:9/7", transport=transport, default_integrations=False)
    binary = bytes(range(256)) + b"\n\n"
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.set_tag("smile", "\N{GRINNING FACE}")
        scope.add_attachment(bytes=binary, filename="core.bin")
        event_id = sentry_sdk.capture_message("hello")
    client.close()

    (body,) = transport.bodies
    envelope = Envelope.parse(body)
    assert envelope.event_id == event_id
    assert [item.type for item in envelope.items] == ["event", "attachment"]
    event = envelope.items[0].json()
    assert event["message"] == "hello"
    assert event["tags"] == {"smile": "\N{GRINNING FACE}"}
    assert envelope.items[1].payload == binary
    assert envelope.items[1].headers["filename"] == "core.bin"
    assert envelope.serialize() == body
