"""Views over the other item types: sessions, profiles, attachments, check-ins, replays, client reports, feedback."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.telemetry.origin import Origin
from harness.telemetry.shape import mapping, sequence, text
from harness.wire.encoding import decode_body

LARGEST_RECORDING = 100 * 1024 * 1024
"""Relay's limit for an unpacked replay recording, in bytes."""


@dataclass(frozen=True, slots=True)
class _Record:
    payload: dict[str, Any] = field(repr=False)
    origin: Origin = field(repr=False, compare=False)

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service


@dataclass(frozen=True, slots=True)
class Session(_Record):
    """One update of a release-health session, or one bucket of aggregated sessions."""

    @property
    def attributes(self) -> dict[str, Any]:
        """``attrs``: release, environment and so on."""
        return mapping(self.payload.get("attrs"))

    @property
    def status(self) -> str | None:
        """``ok``, ``exited``, ``crashed``, ``abnormal``; None for an aggregate, which counts each."""
        return text(self.payload.get("status"))

    @property
    def release(self) -> str | None:
        """Release the session counts for."""
        return text(self.attributes.get("release"))

    @property
    def environment(self) -> str | None:
        """Environment the session counts for."""
        return text(self.attributes.get("environment"))

    def count(self, outcome: str) -> int:
        """How many sessions this stands for that ended as `outcome` (``exited``, ``errored``, ``crashed``, ...)."""
        if self.status is not None:
            return int(self.status == outcome)
        counted = self.payload.get(outcome, 0)
        return counted if isinstance(counted, int) else 0


@dataclass(frozen=True, slots=True)
class Profile(_Record):
    """A transaction profile (``profile``) or a piece of a continuous one (``profile_chunk``)."""

    continuous: bool = False

    @property
    def trace_id(self) -> str | None:
        """Trace of the profiled transaction; a continuous profile belongs to no single trace."""
        for transaction in self._transactions():
            if trace_id := text(transaction.get("trace_id")):
                return trace_id
        return None if self.continuous else self.origin.trace_id

    @property
    def transaction(self) -> str | None:
        """Name of the profiled transaction."""
        for transaction in self._transactions():
            return text(transaction.get("name"))
        return None

    @property
    def functions(self) -> frozenset[str]:
        """Names of all functions that were seen running."""
        frames = sequence(mapping(self.payload.get("profile")).get("frames"))
        return frozenset(name for frame in frames if (name := text(mapping(frame).get("function"))))

    @property
    def sample_count(self) -> int:
        """How many samples were taken."""
        return len(sequence(mapping(self.payload.get("profile")).get("samples")))

    def _transactions(self) -> list[dict[str, Any]]:
        listed = sequence(self.payload.get("transactions")) or [self.payload.get("transaction")]
        return [found for transaction in listed if (found := mapping(transaction))]


@dataclass(frozen=True, slots=True)
class CheckIn(_Record):
    """A cron monitor's check-in."""

    @property
    def monitor(self) -> str | None:
        """Slug of the monitor."""
        return text(self.payload.get("monitor_slug"))

    @property
    def status(self) -> str | None:
        """``in_progress``, ``ok`` or ``error``."""
        return text(self.payload.get("status"))

    @property
    def trace_id(self) -> str | None:
        """Trace it belongs to."""
        trace = mapping(mapping(self.payload.get("contexts")).get("trace"))
        return text(trace.get("trace_id")) or self.origin.trace_id


@dataclass(frozen=True, slots=True)
class Feedback(_Record):
    """What a user wrote about a problem (``feedback``, or the older ``user_report``)."""

    @property
    def message(self) -> str | None:
        """The user's words."""
        return text(self._told.get("message")) or text(self.payload.get("comments"))

    @property
    def associated_event_id(self) -> str | None:
        """The event that it is about."""
        # A `feedback` has an event id of its own; the one of a `user_report` is the event's.
        return text(self._told.get("associated_event_id") if self._told else self.payload.get("event_id"))

    @property
    def _told(self) -> dict[str, Any]:
        return mapping(mapping(self.payload.get("contexts")).get("feedback"))

    @property
    def trace_id(self) -> str | None:
        """Trace it belongs to."""
        trace = mapping(mapping(self.payload.get("contexts")).get("trace"))
        return text(trace.get("trace_id")) or self.origin.trace_id


@dataclass(frozen=True, slots=True)
class Replay(_Record):
    """A session replay event, with the recording that rides in the same envelope."""

    recording: bytes = field(default=b"", repr=False)

    @property
    def recorded(self) -> str:
        """The events of the recording, unpacked: JSON text (develop.sentry.dev, "Replays").

        Raises:
            CorruptBody: it cannot be unpacked.
            BodyTooLarge: it is larger than Sentry takes.
        """
        _, _, events = self.recording.partition(b"\n")
        packed = events.startswith(b"x")
        unpacked = decode_body(events, "deflate", limit=LARGEST_RECORDING) if packed else events
        return unpacked.decode(errors="replace")

    @property
    def replay_id(self) -> str | None:
        """Id of the replay."""
        return text(self.payload.get("replay_id"))

    @property
    def trace_ids(self) -> frozenset[str]:
        """All traces that ran during this segment of the replay."""
        return frozenset(filter(None, map(text, sequence(self.payload.get("trace_ids")))))


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that rides with an event; its bytes are exactly those sent."""

    filename: str | None
    content_type: str | None
    payload: bytes = field(repr=False)
    event_id: str | None
    trace_id: str | None
    origin: Origin = field(repr=False, compare=False)

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service


@dataclass(frozen=True, slots=True)
class Discard:
    """Something that the SDK itself did not send, in its own words."""

    reason: str
    category: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ClientReport(_Record):
    """What the SDK says it dropped (develop.sentry.dev, "Client Reports")."""

    @property
    def discarded(self) -> tuple[Discard, ...]:
        """Every discarded kind with its number."""
        return tuple(
            Discard(
                reason=text(entry.get("reason")) or "unknown",
                category=text(entry.get("category")) or "unknown",
                quantity=quantity if isinstance(quantity := entry.get("quantity"), int) else 0,
            )
            for entry in map(mapping, sequence(self.payload.get("discarded_events")))
        )


@dataclass(frozen=True, slots=True)
class Unread:
    """An item that has no view: its type is unknown here, or its payload is not what the type demands."""

    type: str
    payload: bytes = field(repr=False)
    reason: str
    origin: Origin = field(repr=False, compare=False)

    @property
    def service(self) -> str | None:
        """Who sent it, by DSN."""
        return self.origin.service
