"""From envelopes to views: one reader per item type."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from harness.telemetry.events import ErrorEvent
from harness.telemetry.origin import Origin
from harness.telemetry.records import (
    Attachment,
    CheckIn,
    ClientReport,
    Feedback,
    Profile,
    Replay,
    Session,
    Unread,
)
from harness.telemetry.shape import mapping, sequence, text
from harness.telemetry.signals import Log, Metric, read_log, read_metric
from harness.telemetry.spans import Span, span_of_stream, spans_of_transaction
from harness.wire.envelope import Envelope, Item, MalformedPayload

View = (
    ErrorEvent
    | Span
    | Log
    | Metric
    | Session
    | Profile
    | Attachment
    | CheckIn
    | Replay
    | Feedback
    | ClientReport
    | Unread
)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Views by kind, each in the order of arrival."""

    events: tuple[ErrorEvent, ...] = ()
    spans: tuple[Span, ...] = ()
    logs: tuple[Log, ...] = ()
    metrics: tuple[Metric, ...] = ()
    sessions: tuple[Session, ...] = ()
    profiles: tuple[Profile, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    check_ins: tuple[CheckIn, ...] = ()
    replays: tuple[Replay, ...] = ()
    feedback: tuple[Feedback, ...] = ()
    client_reports: tuple[ClientReport, ...] = ()
    unread: tuple[Unread, ...] = ()

    def within(self, trace_id: str) -> Telemetry:
        """Only what belongs to one trace; kinds that belong to no trace (sessions, client reports) are left out.

        A replay belongs to it also when an event of the trace names it.
        """
        events = tuple(event for event in self.events if event.trace_id == trace_id)
        replayed = {event.replay_id for event in events if event.replay_id}
        return Telemetry(
            events=events,
            spans=tuple(span for span in self.spans if span.trace_id == trace_id),
            logs=tuple(log for log in self.logs if log.trace_id == trace_id),
            metrics=tuple(metric for metric in self.metrics if metric.trace_id == trace_id),
            profiles=tuple(profile for profile in self.profiles if profile.trace_id == trace_id),
            attachments=tuple(held for held in self.attachments if held.trace_id == trace_id),
            check_ins=tuple(check_in for check_in in self.check_ins if check_in.trace_id == trace_id),
            replays=tuple(
                replay for replay in self.replays if trace_id in replay.trace_ids or replay.replay_id in replayed
            ),
            feedback=tuple(feedback for feedback in self.feedback if feedback.trace_id == trace_id),
            unread=tuple(unread for unread in self.unread if unread.origin.trace_id == trace_id),
        )


def read_telemetry(envelopes: Iterable[tuple[Envelope, Origin]]) -> Telemetry:
    """Views over many envelopes, each with its origin (whose header fields are filled in here)."""
    return sorted_by_kind(view for envelope, origin in envelopes for view in read_envelope(envelope, origin))


def sorted_by_kind(views: Iterable[View]) -> Telemetry:
    """Views as telemetry, those of a kind in the order in which they are given."""
    kinds: dict[type, list[View]] = {}
    for view in views:
        kinds.setdefault(type(view), []).append(view)

    def of(kind: type) -> tuple[Any, ...]:
        return tuple(kinds.get(kind, ()))

    return Telemetry(
        events=of(ErrorEvent),
        spans=of(Span),
        logs=of(Log),
        metrics=of(Metric),
        sessions=of(Session),
        profiles=of(Profile),
        attachments=of(Attachment),
        check_ins=of(CheckIn),
        replays=of(Replay),
        feedback=of(Feedback),
        client_reports=of(ClientReport),
        unread=of(Unread),
    )


def read_envelope(envelope: Envelope, origin: Origin, types: Container[str] | None = None) -> Iterator[View]:
    """The views of one envelope; an item that cannot be read becomes `Unread`, never an error.

    Args:
        envelope: the envelope.
        origin: its sender.
        types: the item types that are wanted; None for all.
    """
    for item in envelope.items:
        if types is not None and item.type not in types:
            continue
        of_item = replace(origin, envelope_headers=envelope.headers, item_headers=item.headers)
        if item.type == "attachment":
            yield _attachment(item, envelope, of_item)
        elif item.type in ("replay_recording", "replay_video"):
            # Read together with their replay_event: neither means anything alone.
            if not any(other.type == "replay_event" for other in envelope.items):
                yield Unread(item.type, item.payload, "no replay_event in the same envelope", of_item)
        elif (reader := _READERS.get(item.type)) is None:
            yield Unread(item.type, item.payload, "no view for this item type", of_item)
        else:
            try:
                yield from reader(_json_object(item), of_item, envelope)
            except MalformedPayload as problem:
                yield Unread(item.type, item.payload, str(problem), of_item)


def _json_object(item: Item) -> dict[str, Any]:
    payload = item.json()
    if not isinstance(payload, dict):
        raise MalformedPayload(item.type, f"it is a JSON {type(payload).__name__}, not an object")
    return payload


def _attachment(item: Item, envelope: Envelope, origin: Origin) -> Attachment:
    return Attachment(
        filename=text(item.headers.get("filename")),
        content_type=item.content_type,
        payload=item.payload,
        event_id=envelope.event_id,
        trace_id=origin.trace_id or _trace_of_event_beside(envelope),
        origin=origin,
    )


def _trace_of_event_beside(envelope: Envelope) -> str | None:
    for item in envelope.items:
        if item.type == "event":
            try:
                contexts = mapping(mapping(item.json()).get("contexts"))
            except MalformedPayload:
                return None
            return text(mapping(contexts.get("trace")).get("trace_id"))
    return None


def _profiles(payload: dict[str, Any], origin: Origin, _: Envelope) -> Iterator[View]:
    yield Profile(payload, origin, continuous=origin.item_headers.get("type") == "profile_chunk")


def _sessions(payload: dict[str, Any], origin: Origin, _: Envelope) -> Iterator[View]:
    shared = {"attrs": payload.get("attrs")}
    for bucket in sequence(payload.get("aggregates")):
        yield Session({**shared, **mapping(bucket)}, origin)


def _replay(payload: dict[str, Any], origin: Origin, envelope: Envelope) -> Iterator[View]:
    recordings = [item.payload for item in envelope.items if item.type in ("replay_recording", "replay_video")]
    yield Replay(payload, origin, recording=b"".join(recordings))


def _each(
    read: Callable[[dict[str, Any], Origin], View],
) -> Callable[[dict[str, Any], Origin, Envelope], Iterator[View]]:
    def read_container(payload: dict[str, Any], origin: Origin, _: Envelope) -> Iterator[View]:
        for raw in sequence(payload.get("items")):
            yield read(mapping(raw), origin)

    return read_container


def _one(
    view: Callable[[dict[str, Any], Origin], View],
) -> Callable[[dict[str, Any], Origin, Envelope], Iterator[View]]:
    def read(payload: dict[str, Any], origin: Origin, _: Envelope) -> Iterator[View]:
        yield view(payload, origin)

    return read


_READERS: dict[str, Callable[[dict[str, Any], Origin, Envelope], Iterator[View]]] = {
    "event": _one(ErrorEvent),
    "transaction": lambda payload, origin, _: spans_of_transaction(payload, origin),
    "span": _each(span_of_stream),
    "log": _each(read_log),
    "trace_metric": _each(read_metric),
    "session": _one(Session),
    "sessions": _sessions,
    "profile": _profiles,
    "profile_chunk": _profiles,
    "check_in": _one(CheckIn),
    "replay_event": _replay,
    "feedback": _one(Feedback),
    "user_report": _one(Feedback),
    "client_report": _one(ClientReport),
}
