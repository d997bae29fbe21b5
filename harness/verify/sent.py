"""Items as they were sent, for checks that need the place in the payload and not only the view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from harness.collector.inbox import Arrival
from harness.telemetry.events import ErrorEvent
from harness.telemetry.origin import Origin
from harness.telemetry.routing import trace_ids
from harness.telemetry.shape import mapping, sequence, text
from harness.telemetry.signals import read_log, read_metric
from harness.telemetry.spans import span_of_stream, spans_of_transaction
from harness.verify.capture import Capture
from harness.verify.diagnosis import describe
from harness.verify.evidence import origin_of
from harness.wire.envelope import Envelope, Item
from harness.wire.json_text import InvalidJson, parse_json

_MOST_REMEMBERED = 100
_LARGEST_REMEMBERED = 1 << 17


@dataclass(frozen=True, slots=True)
class SentEnvelope:
    """One envelope with its sender."""

    envelope: Envelope
    origin: Origin

    def __str__(self) -> str:
        kinds = ", ".join(item.type for item in self.envelope.items) or "empty"
        return f"envelope {self.origin.number} ({kinds})"


@dataclass(frozen=True, slots=True)
class SentItem:
    """One item with its decoded payload, a JSON object.

    Args:
        item: the item.
        payload: its payload.
        origin: its sender, with the envelope's headers.
    """

    item: Item
    payload: dict[str, Any]
    origin: Origin

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service

    @property
    def trace_id(self) -> str | None:
        """The trace it belongs to as a whole; the entries of a container have traces of their own."""
        trace = mapping(mapping(self.payload.get("contexts")).get("trace"))
        return text(trace.get("trace_id")) or self.origin.trace_id

    def __str__(self) -> str:
        match self.item.type:
            case "event":
                return describe(ErrorEvent(self.payload, self.origin))
            case "transaction":
                return describe(next(spans_of_transaction(self.payload, self.origin)))
            case kind:
                return f"{self.service}: {kind} item of envelope {self.origin.number}"


@dataclass(frozen=True, slots=True)
class SentEntry:
    """One entry of a container of spans, logs or metrics.

    Args:
        payload: the entry, a JSON object.
        path: its place in the container, such as ``$.items[2]``.
        sent: the container.
    """

    payload: dict[str, Any]
    path: str
    sent: SentItem

    @property
    def trace_id(self) -> str | None:
        """The trace it belongs to."""
        return text(self.payload.get("trace_id")) or self.sent.origin.trace_id

    def __str__(self) -> str:
        match self.sent.item.type:
            case "span":
                return describe(span_of_stream(self.payload, self.sent.origin))
            case "log":
                return describe(read_log(self.payload, self.sent.origin))
            case _:
                metric = read_metric(self.payload, self.sent.origin)
                return f"{metric.service}: {metric.type} {metric.name} in trace {metric.trace_id}"


def sent_envelopes(capture: Capture) -> Iterator[SentEnvelope]:
    """Every envelope that speaks of the scenario's trace."""
    return _with_sender(capture.evidence.arrivals, capture.evidence.services_by_project)


def traceless_envelopes(
    arrivals: Iterable[Arrival], services_by_project: Mapping[str, str]
) -> Iterator[SentEnvelope]:
    """Envelopes that speak of no trace at all.

    These are sessions, client reports and whatever is so broken that its trace cannot be read.

    Args:
        arrivals: where to look.
        services_by_project: service names by the project id of their DSN.
    """
    for sent in _with_sender(arrivals, services_by_project):
        if not trace_ids(sent.envelope):
            yield sent


def sent_items(capture: Capture, *types: str) -> Iterator[SentItem]:
    """Readable items of the scenario's trace that are not containers; of all traces if the capture has none.

    Args:
        capture: where to look.
        types: item types.
    """
    for sent in sent_envelopes(capture):
        for item in readable_items(sent, *types):
            if capture.trace_id in (None, item.trace_id):
                yield item


def sent_entries(capture: Capture, *types: str) -> Iterator[SentEntry]:
    """Entries of the scenario's trace in containers, which may mix traces; of all traces if the capture has none.

    Args:
        capture: where to look.
        types: item types: ``span``, ``log``, ``trace_metric``.
    """
    for sent in sent_envelopes(capture):
        for item in readable_items(sent, *types):
            for entry in entries(item):
                if capture.trace_id in (None, entry.trace_id):
                    yield entry


def readable_items(sent: SentEnvelope, *types: str) -> Iterator[SentItem]:
    """Items of one envelope whose payload is a JSON object.

    Args:
        sent: the envelope.
        types: item types.
    """
    for item in sent.envelope.items:
        if item.type in types:
            payload = payload_of(item)
            if isinstance(payload, dict):
                yield SentItem(item, payload, replace(sent.origin, item_headers=item.headers))


def payload_of(item: Item) -> Any:
    """The payload of an item as JSON; None when it is not JSON.

    All checks look at the same items one after the other, so what was read lately is given again: leave it as it is.

    Args:
        item: the item.
    """
    if len(item.payload) > _LARGEST_REMEMBERED:
        return _read(item.payload)
    return _remembered(item.payload)


def _read(payload: bytes) -> Any:
    try:
        return parse_json(payload.decode())
    except (UnicodeDecodeError, InvalidJson):
        return None


_remembered = lru_cache(_MOST_REMEMBERED)(_read)


def entries(item: SentItem) -> Iterator[SentEntry]:
    """Entries of a container that are JSON objects."""
    for index, entry in enumerate(sequence(item.payload.get("items"))):
        if isinstance(entry, dict):
            yield SentEntry(entry, f"$.items[{index}]", item)


def _with_sender(arrivals: Iterable[Arrival], services_by_project: Mapping[str, str]) -> Iterator[SentEnvelope]:
    for arrival in arrivals:
        if arrival.envelope is not None:
            yield SentEnvelope(arrival.envelope, origin_of(arrival, services_by_project))
