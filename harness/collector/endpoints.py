"""What each endpoint makes of a body: the envelope that Relay would make of it, and Relay's answer."""

from __future__ import annotations

import base64
import binascii
import json
import math
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from harness.collector.limits import LARGEST_BODY, LARGEST_EVENT
from harness.collector.messages import Answer, Refused, Request
from harness.collector.routes import Endpoint, Route
from harness.wire.encoding import BodyTooLarge, CorruptBody, UnsupportedEncoding, decode_body
from harness.wire.envelope import Envelope, Item, MalformedEnvelope, OversizedEnvelope
from harness.wire.json_text import InvalidJson, parse_json

_JSON = "application/json"
_ENVELOPE = "application/x-sentry-envelope"
_OTLP = frozenset({_JSON, "application/x-protobuf"})

MEDIA_TYPES: dict[Endpoint, frozenset[str]] = {
    "security": frozenset(
        {
            _JSON,
            "application/csp-report",
            "application/reports+json",
            "application/expect-ct-report",
            "application/expect-ct-report+json",
            "application/expect-staple-report",
        }
    ),
    "nel": frozenset({_JSON, "application/reports+json"}),
    "otlp_traces": _OTLP,
    "otlp_logs": _OTLP,
}
"""Endpoints that take only certain media types; the others treat all alike."""

BODY_LIMITS: dict[Endpoint, int] = {
    "store": LARGEST_EVENT,
    "security": LARGEST_EVENT,
    "nel": LARGEST_EVENT,
    "cron": LARGEST_EVENT,
}
"""Most bytes of a decoded body, where it is not `LARGEST_BODY`."""

# Relay gives an envelope with one of these an id (`Item::requires_event`).
_NEEDS_EVENT_ID = frozenset(
    {
        "event",
        "transaction",
        "security",
        "attachment",
        "form_data",
        "raw_security",
        "unreal_report",
        "user_report",
        "feedback",
        "replay_event",
        "profile",
    }
)
_NIL = "0" * 32
_EXCERPT = 50
# The smallest transparent GIF: the answer to an event that a page sent as an image.
_PIXEL = bytes.fromhex("47494638396101000100000000ff002c00000000010001000002003b")


@dataclass(frozen=True, slots=True)
class Reading:
    """What an endpoint made of a body.

    Attributes:
        envelope: The envelope that it is or that Relay makes of it; None where the body is kept as it is.
        answer: The answer once the request is accepted.
    """

    envelope: Envelope | None
    answer: Answer


_Reader: TypeAlias = Callable[[Request, Route, bytes], Reading]


def read(request: Request, route: Route) -> Reading:
    """Decode a request's body and read it the way its endpoint does.

    Args:
        request: The request.
        route: What its path says.

    Returns:
        The reading.

    Raises:
        Refused: Relay would not take the body, with the status it would give.
        UnsupportedEncoding: Nor would it take this encoding.
    """
    limit = BODY_LIMITS.get(route.endpoint, LARGEST_BODY)
    encoding = request.header("content-encoding")
    if encoding is not None and "," in encoding:
        # Relay (tower-http's `RequestDecompression`) takes one at a time; each more would be a bomb's next stage.
        raise UnsupportedEncoding(encoding[:_EXCERPT])
    try:
        body = decode_body(request.body, encoding, limit=limit)
    except BodyTooLarge as error:
        raise Refused(413, "payload too large", str(error)) from None
    except CorruptBody as error:
        raise Refused(400, "invalid request body", str(error)) from None
    return _READERS[route.endpoint](request, route, body)


def _read_envelope(_request: Request, _route: Route, body: bytes) -> Reading:
    try:
        envelope = Envelope.parse(body)
    except OversizedEnvelope as error:
        raise Refused(413, "payload too large", str(error)) from None
    except MalformedEnvelope as error:
        raise Refused(400, "invalid event envelope", str(error)) from None
    event_id = envelope.event_id
    if event_id is None:
        if envelope.headers.get("event_id") is not None:
            raise Refused(
                400, "invalid event envelope", f"the event_id {envelope.headers['event_id']!r} is not a UUID"
            )
        if any(item.type in _NEEDS_EVENT_ID for item in envelope.items):
            event_id = uuid.uuid4().hex
    return Reading(envelope, _id_answer(event_id))


def _read_store(request: Request, route: Route, body: bytes) -> Reading:
    if request.media_type == _ENVELOPE:
        return _read_envelope(request, route, body)
    if request.method == "GET":
        data = _parameters(request.query).get("sentry_data", "")
        return Reading(_store_envelope(_decode_legacy(data.encode())), Answer(200, _PIXEL, "image/gif"))
    envelope = _store_envelope(_decode_legacy(body))
    return Reading(envelope, _id_answer(envelope.event_id))


def _store_envelope(payload: bytes) -> Envelope:
    """Wrap an event as Relay does (`endpoints/store.rs`); old SDKs send transactions this way too."""
    event = _json_object(payload)
    event_id = event.get("event_id") or uuid.uuid4().hex
    kind = "transaction" if event.get("type") == "transaction" else "event"
    envelope = _wrap(kind, payload, event_id=event_id)
    if envelope.event_id is None:
        raise Refused(400, "invalid event id", f"the event_id {event_id!r} is not a UUID")
    return envelope


def _decode_legacy(body: bytes) -> bytes:
    """Undo the base64, with zlib inside or without, in which the oldest SDKs send events."""
    if not body:
        raise Refused(400, "empty request body")
    if body.lstrip()[:1] == b"{":
        return body
    try:
        decoded = base64.b64decode(body, validate=True)
        if decoded[:1] == b"{":
            return decoded
        stream = zlib.decompressobj()
        payload = stream.decompress(decoded, LARGEST_EVENT + 1)
    except (binascii.Error, zlib.error) as error:
        raise Refused(
            400, "invalid request body", f"neither a JSON object nor base64 of one, compressed or not: {error}"
        ) from None
    if len(payload) > LARGEST_EVENT:
        raise Refused(413, "payload too large", f"the decoded event is larger than {LARGEST_EVENT} bytes")
    return payload


def _read_security(request: Request, _route: Route, body: bytes) -> Reading:
    if not body:
        raise Refused(400, "empty request body")
    parameters = _parameters(request.query)
    named = {name: parameters[name] for name in ("sentry_release", "sentry_environment") if name in parameters}
    return Reading(_wrap("raw_security", body, event_id=uuid.uuid4().hex, **named), Answer())


def _read_nel(_request: Request, _route: Route, body: bytes) -> Reading:
    reports = _parse_json(body)
    if not isinstance(reports, list):
        raise Refused(400, "invalid JSON data", "network error reports come as a list")
    items = [_json_item("nel", json.dumps(report).encode()) for report in reports]
    return Reading(Envelope({"event_id": uuid.uuid4().hex}, items), Answer())


def _read_cron(request: Request, route: Route, body: bytes) -> Reading:
    """Make a check-in of a request to a monitor's URL (`endpoints/monitor.rs`)."""
    if request.media_type == _JSON:
        check_in = _json_object(body)
    else:
        parameters = _parameters(request.query)
        check_in = {name: parameters[name] for name in ("status", "check_in_id", "environment") if name in parameters}
        if "duration" in parameters:
            check_in["duration"] = _number("duration", parameters["duration"])
    if not isinstance(check_in.get("status"), str):
        raise Refused(400, "invalid check-in", "the status is missing: ok, in_progress or error")
    check_in["check_in_id"] = _check_in_id(check_in.get("check_in_id"))
    check_in["monitor_slug"] = route.subject
    payload = json.dumps(check_in).encode()
    return Reading(_wrap("check_in", payload, event_id=uuid.uuid4().hex), Answer(202))


def _read_crash(_request: Request, _route: Route, body: bytes) -> Reading:
    """Keep a minidump or an Unreal report as it is; clients expect the new event's id with dashes."""
    if not body:
        raise Refused(400, "empty request body")
    return Reading(None, Answer(200, str(uuid.uuid4()).encode(), "text/plain; charset=utf-8"))


def _read_attachments(_request: Request, route: Route, _body: bytes) -> Reading:
    if Envelope({"event_id": route.subject}).event_id is None:
        raise Refused(400, "invalid event id", f"{route.subject!r} in the path is not a UUID")
    return Reading(None, Answer(201))


def _read_otlp(_request: Request, _route: Route, _body: bytes) -> Reading:
    return Reading(None, Answer(202))


_READERS: dict[Endpoint, _Reader] = {
    "envelope": _read_envelope,
    "tunnel": _read_envelope,
    "store": _read_store,
    "security": _read_security,
    "nel": _read_nel,
    "cron": _read_cron,
    "minidump": _read_crash,
    "unreal": _read_crash,
    "attachments": _read_attachments,
    "otlp_traces": _read_otlp,
    "otlp_logs": _read_otlp,
}


def _id_answer(event_id: str | None) -> Answer:
    body = b"{}" if event_id is None else b'{"id":"%b"}' % event_id.encode()
    return Answer(200, body, _JSON)


def _wrap(kind: str, payload: bytes, *, event_id: Any, **headers: str) -> Envelope:
    return Envelope({"event_id": event_id}, [_json_item(kind, payload, **headers)])


def _json_item(kind: str, payload: bytes, **headers: str) -> Item:
    return Item({"type": kind, "content_type": _JSON, "length": len(payload), **headers}, payload)


def _parameters(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _parse_json(body: bytes) -> Any:
    try:
        return parse_json(body.decode())
    except (UnicodeDecodeError, InvalidJson) as error:
        raise Refused(400, "invalid JSON data", str(error)) from None


def _json_object(body: bytes) -> dict[str, Any]:
    value = _parse_json(body)
    if not isinstance(value, dict):
        raise Refused(400, "invalid JSON data", "an object is expected")
    return value


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Refused(400, "invalid check-in", f"{name} is {text!r}, a number of seconds is expected")
    return value


def _check_in_id(given: Any) -> str:
    if given is None:
        return _NIL
    normalised = Envelope({"event_id": given}).event_id
    if normalised is None:
        raise Refused(400, "invalid check-in", f"the check_in_id {given!r} is not a UUID")
    return normalised
