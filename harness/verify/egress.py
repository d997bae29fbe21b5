"""Every text that leaves a service, item by item, for checks that look for what must not be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from harness.collector.inbox import Arrival
from harness.telemetry.origin import Origin
from harness.telemetry.records import LARGEST_RECORDING
from harness.telemetry.shape import mapping, sequence, text
from harness.verify.evidence import origin_of
from harness.verify.json_path import member, walk
from harness.verify.sent import SentEntry, SentItem, entries
from harness.wire.encoding import BodyTooLarge, CorruptBody, decode_body
from harness.wire.envelope import Envelope, Item, MalformedPayload
from harness.wire.json_text import InvalidJson, parse_json

SEPARATOR = "\0"
"""Stands between two texts of a parcel, so that nothing is found that only their neighbourhood makes."""

_SOURCE_LINES = ("context_line", "pre_context", "post_context")
_CONTAINERS = frozenset({"span", "log", "trace_metric"})
_FRAMING = frozenset({"type", "length", "content_type", "item_count"})
# The key in these is public: it only allows to send.
_AUTHENTICATION = frozenset({"x-sentry-auth", "authorization"})
# Fewer digits are no card number, and most numbers in telemetry are small.
_SMALLEST_SPELLED_OUT = 10**11


class Passage(NamedTuple):
    """One text of a parcel.

    Attributes:
        path: where it is; a key is where its value is.
        text: it.
        is_number: it is a JSON number, spelled out.
    """

    path: str
    text: str
    is_number: bool = False


@dataclass(frozen=True)
class Parcel:
    """One item, one entry of a batch, or the headers of one envelope: all the text that it brings to Sentry.

    Args:
        service: who sent it.
        trace_id: the trace it belongs to; None when it belongs to none.
        what: it, with words for a person as its text; what is neither item nor entry is the words alone.
        contents: JSON values or texts, each with the path that leads to it.
    """

    service: str | None
    trace_id: str | None
    what: SentItem | SentEntry | str
    contents: tuple[tuple[str, Any], ...] = field(repr=False)

    @property
    def item(self) -> str:
        """It in words; they may quote what it says."""
        return str(self.what)

    @property
    def label(self) -> str:
        """It in words that quote nothing of what it says, but the name of a file."""
        match self.what:
            case SentItem():
                event_id = text(self.what.payload.get("event_id"))
                number = self.what.origin.number
                return f"{self.service}: {self.what.item.type} {event_id or 'item'} of envelope {number}"
            case SentEntry():
                number = self.what.sent.origin.number
                return f"{self.service}: {self.what.sent.item.type} of envelope {number}"
            case _:
                return self.what

    @cached_property
    def text(self) -> str:
        """All its texts in one, for a first look that is cheap."""
        return SEPARATOR.join(_texts(value for _, value in self.contents))

    def passages(self) -> Iterator[Passage]:
        """Each of its texts, keys and long numbers included."""
        for start, content in self.contents:
            for path, value in walk(content, start):
                if isinstance(value, str):
                    yield Passage(path, value)
                elif isinstance(value, dict):
                    yield from (Passage(member(path, key), key) for key in value)
                elif _is_spelled_out(value):
                    yield Passage(path, str(value), is_number=True)


def parcels(arrivals: Iterable[Arrival], services_by_project: Mapping[str, str]) -> Iterator[Parcel]:
    """Everything that arrived, as texts: headers of request and envelope, items, entries of batches, files.

    Left out are the DSN, its key, and the source lines of third-party code in stack traces, which are public.

    Args:
        arrivals: what arrived.
        services_by_project: service names by the project id of their DSN.
    """
    for arrival in arrivals:
        origin = origin_of(arrival, services_by_project)
        yield _headers(arrival, origin)
        if arrival.envelope is None:
            what = f"{origin.service}: body of request {arrival.number} to {arrival.endpoint}"
            yield Parcel(origin.service, None, what, (("payload", _readable(arrival.body)),))
            continue
        for item in arrival.envelope.items:
            yield from _of_item(item, arrival.envelope, replace(origin, item_headers=item.headers))


def _headers(arrival: Arrival, origin: Origin) -> Parcel:
    sent = {name: value for name, value in arrival.headers if name not in _AUTHENTICATION}
    held = {name: value for name, value in origin.envelope_headers.items() if name != "dsn"}
    return Parcel(
        origin.service,
        origin.trace_id,
        f"{origin.service}: headers of envelope {arrival.number}",
        (("request.headers", sent), ("request.query", arrival.query), ("envelope.headers", held)),
    )


def _of_item(item: Item, envelope: Envelope, origin: Origin) -> Iterator[Parcel]:
    headers = {name: value for name, value in item.headers.items() if name not in _FRAMING}
    around = (("item.headers", headers),)
    try:
        payload = None if item.type in ("attachment", "replay_recording", "replay_video") else item.json()
    except MalformedPayload:
        payload = None
    if not isinstance(payload, dict):
        name = text(item.headers.get("filename"))
        what = f"{origin.service}: {item.type} {name or 'item'} of envelope {origin.number}"
        trace_id = origin.trace_id or _trace_beside(envelope)
        yield Parcel(origin.service, trace_id, what, (*around, *_unpacked(item)))
        return
    sent = SentItem(item, payload, origin)
    if item.type not in _CONTAINERS:
        _leave_out_foreign_source(payload)
        yield Parcel(origin.service, sent.trace_id, sent, (*around, ("$", payload)))
        return
    for entry in entries(sent):
        yield _of_entry(entry)
    rest = {key: value for key, value in payload.items() if key != "items"}
    yield Parcel(origin.service, origin.trace_id, sent, (*around, ("$", rest)))


def _of_entry(entry: SentEntry) -> Parcel:
    return Parcel(entry.sent.service, entry.trace_id, entry, ((entry.path, entry.payload),))


def _trace_beside(envelope: Envelope) -> str | None:
    for item in envelope.items:
        if item.type == "event":
            try:
                payload = mapping(item.json())
            except MalformedPayload:
                return None
            return text(mapping(mapping(payload.get("contexts")).get("trace")).get("trace_id"))
    return None


def _leave_out_foreign_source(payload: dict[str, Any]) -> None:
    threads = [*sequence(payload.get("exception")), *sequence(payload.get("threads"))]
    for thread in map(mapping, threads):
        for frame in map(mapping, sequence(mapping(thread.get("stacktrace")).get("frames"))):
            if frame.get("in_app") is False:
                for lines in _SOURCE_LINES:
                    frame.pop(lines, None)


def _unpacked(item: Item) -> Iterator[tuple[str, Any]]:
    if item.type == "replay_recording":
        # A line of JSON, then the events: JSON, mostly packed by zlib (develop.sentry.dev, "Replays").
        head, _, packed = item.payload.partition(b"\n")
        yield "recording.headers", _readable(head)
        yield "$", _readable(packed)
    else:
        yield "payload", _readable(item.payload)


def _readable(payload: bytes) -> Any:
    for magic, encoding in ((b"\x1f\x8b", "gzip"), (b"x", "deflate")):
        if payload.startswith(magic):
            try:
                payload = decode_body(payload, encoding, limit=LARGEST_RECORDING)
            except (CorruptBody, BodyTooLarge):
                continue
            break
    decoded = payload.decode("utf-8", "replace")
    if decoded[:1] in ("{", "["):
        try:
            return parse_json(decoded)
        except InvalidJson:
            return decoded
    return decoded


def _texts(contents: Iterable[Any]) -> Iterator[str]:
    pending = list(contents)
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif _is_spelled_out(value):
            yield str(value)


def _is_spelled_out(value: object) -> bool:
    return isinstance(value, int) and value >= _SMALLEST_SPELLED_OUT
