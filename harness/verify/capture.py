"""A capture: everything that arrived for one scenario, and what a test asserts on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.collector.inbox import Arrival
from harness.collector.injecting import Injection
from harness.telemetry.events import ErrorEvent
from harness.telemetry.origin import Origin
from harness.telemetry.reading import Telemetry, read_telemetry
from harness.telemetry.records import Attachment, CheckIn, ClientReport, Feedback, Profile, Replay, Session, Unread
from harness.telemetry.resources import ResourceSample
from harness.telemetry.signals import Log, Metric
from harness.telemetry.spans import Span
from harness.telemetry.trace import Trace, build_trace
from harness.verify.diagnosis import explain
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts, origin_of
from harness.verify.selection import ExactlyOne, First, Nothing
from harness.wire.envelope import Envelope, Item


class Capture:
    """Everything captured for one scenario, typed and read-only.

    The plural properties list what has arrived. The singular methods take keyword criteria (attribute names of the
    item; values or matchers such as those of dirty-equals) and believe in an absence only after every service was
    asked to flush: ``error(...)`` is exactly one, ``find_error(...)`` the first, ``no_error(...)`` none.

    Args:
        evidence: the record of the scenario.
        refresh: gives the record anew after a flush barrier; None when nothing more can come.
        live: the record grows while the test runs, so every look reads it anew.
    """

    def __init__(
        self, evidence: Evidence, refresh: Callable[[], Evidence] | None = None, *, live: bool = False
    ) -> None:
        self._refresh = refresh
        self._live = live
        self._read(evidence)

    error = ExactlyOne[ErrorEvent]("errors")
    find_error = First[ErrorEvent]("errors")
    no_error = Nothing("errors")
    message = ExactlyOne[ErrorEvent]("messages")
    find_message = First[ErrorEvent]("messages")
    no_message = Nothing("messages")
    span = ExactlyOne[Span]("spans")
    find_span = First[Span]("spans")
    no_span = Nothing("spans")
    log = ExactlyOne[Log]("logs")
    find_log = First[Log]("logs")
    no_log = Nothing("logs")
    metric = ExactlyOne[Metric]("metrics")
    find_metric = First[Metric]("metrics")
    no_metric = Nothing("metrics")
    session = ExactlyOne[Session]("sessions")
    find_session = First[Session]("sessions")
    no_session = Nothing("sessions")
    profile = ExactlyOne[Profile]("profiles")
    find_profile = First[Profile]("profiles")
    no_profile = Nothing("profiles")
    attachment = ExactlyOne[Attachment]("attachments")
    find_attachment = First[Attachment]("attachments")
    no_attachment = Nothing("attachments")
    check_in = ExactlyOne[CheckIn]("check_ins")
    find_check_in = First[CheckIn]("check_ins")
    no_check_in = Nothing("check_ins")
    replay = ExactlyOne[Replay]("replays")
    find_replay = First[Replay]("replays")
    no_replay = Nothing("replays")
    client_report = ExactlyOne[ClientReport]("client_reports")
    find_client_report = First[ClientReport]("client_reports")
    no_client_report = Nothing("client_reports")

    @property
    def trace_id(self) -> str | None:
        """The scenario's trace."""
        return self._evidence.trace_id

    @property
    def evidence(self) -> Evidence:
        """The record behind this capture."""
        return self._evidence

    @property
    def response(self) -> Response:
        """What the triggered endpoint answered.

        Raises:
            LookupError: there was no answer; the message says why.
        """
        if self._evidence.response is None:
            raise LookupError(f"{self._evidence.title} gave no response: {self._evidence.problem or 'none was sent'}")
        return self._evidence.response

    @property
    def page(self) -> PageView:
        """What the page showed that started the trace: its console and a screenshot.

        Raises:
            LookupError: no browser took part.
        """
        if self._evidence.page is None:
            raise LookupError(f"{self._evidence.title}: no page took part; `page` is of captures of a browser")
        return self._evidence.page

    @property
    def errors(self) -> tuple[ErrorEvent, ...]:
        """Events that carry an exception."""
        return tuple(event for event in self._inside.events if not event.is_message)

    @property
    def messages(self) -> tuple[ErrorEvent, ...]:
        """Events without an exception: captured messages."""
        return tuple(event for event in self._inside.events if event.is_message)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Spans of the application: segments, children, streamed ones; not the SDK's own envelope requests."""
        return tuple(span for span in self._inside.spans if not span.is_sdk_transport)

    @property
    def transport_spans(self) -> tuple[Span, ...]:
        """Spans in which an SDK instrumented its own envelope requests."""
        return tuple(span for span in self._inside.spans if span.is_sdk_transport)

    @property
    def logs(self) -> tuple[Log, ...]:
        """Structured log entries."""
        return self._inside.logs

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metric data points."""
        return self._inside.metrics

    @property
    def sessions(self) -> tuple[Session, ...]:
        """Release-health sessions of the services meanwhile; sessions belong to no trace."""
        return self._outside.sessions

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Profiles of this trace; then the services' continuous profile chunks, which belong to no trace."""
        return self._inside.profiles + tuple(profile for profile in self._outside.profiles if profile.continuous)

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Files that came with events."""
        return self._inside.attachments

    @property
    def check_ins(self) -> tuple[CheckIn, ...]:
        """Cron check-ins."""
        return self._inside.check_ins

    @property
    def replays(self) -> tuple[Replay, ...]:
        """Session replays that ran during this trace."""
        return self._inside.replays

    @property
    def feedback(self) -> tuple[Feedback, ...]:
        """User feedback."""
        return self._inside.feedback

    @property
    def client_reports(self) -> tuple[ClientReport, ...]:
        """What the services' SDKs said meanwhile that they dropped; client reports belong to no trace."""
        return self._outside.client_reports

    @property
    def faults(self) -> tuple[Injection, ...]:
        """What the services were put through on purpose: each fault with the request that it befell."""
        return self._evidence.faults

    @property
    def unread(self) -> tuple[Unread, ...]:
        """Items without a view: unknown types and unreadable payloads."""
        return self._inside.unread

    @property
    def envelopes(self) -> tuple[Envelope, ...]:
        """Every envelope that speaks of this trace, as sent."""
        return tuple(arrival.envelope for arrival in self._evidence.arrivals if arrival.envelope is not None)

    @property
    def raw_items(self) -> tuple[Item, ...]:
        """Every item of these envelopes, as sent."""
        return tuple(item for envelope in self.envelopes for item in envelope.items)

    @property
    def orphans(self) -> Telemetry:
        """What the services sent meanwhile without a trace, or in a trace that no scenario started."""
        return self._outside

    @property
    def trace(self) -> Trace:
        """The trace tree over all services."""
        return build_trace(
            self.trace_id or "",
            self._inside.spans,
            self._inside.events,
            root_span_id=self._evidence.span_id,
            starter=self._evidence.entry if self._evidence.page else None,
        )

    @property
    def resources(self) -> Mapping[str, Sequence[ResourceSample]]:
        """Samples of memory, CPU and threads that the system saw of each service while the scenario ran."""
        return {name: facts.resources for name, facts in self._evidence.services.items()}

    def facts(self, service: str) -> ServiceFacts:
        """What is known about a service: the release it was given, its exit code, the tail of its log.

        Raises:
            LookupError: no such service took part; the message names those that did.
        """
        if service not in self._evidence.services:
            raise LookupError(
                f"no service {service!r} here; there are: {', '.join(self._evidence.services) or 'none'}"
            )
        return self._evidence.services[service]

    def items(self, kind: str) -> Sequence[Any]:
        """All captured items of a kind, by the name of the plural property."""
        found: Sequence[Any] = getattr(self, kind)
        return found

    def settle(self) -> bool:
        """Ask every service to flush and read what came; tells whether that was possible."""
        if self._refresh is None:
            return False
        self._read(self._refresh())
        return True

    def explain(self, kind: str, criteria: Mapping[str, Any], found: Sequence[Any]) -> str:
        """Why the items found are not what was asked for, in words for a person."""
        everything = self.items(kind.removeprefix("no "))
        return explain(self._evidence, kind, criteria, found, everything, self._inside, self._outside, self.trace)

    def __repr__(self) -> str:
        counts = [f"{len(self.items(kind))} {kind}" for kind in ("errors", "messages", "spans", "logs", "metrics")]
        return f"<Capture of {self._evidence.title}, trace {self.trace_id}: {', '.join(counts)}>"

    @property
    def _inside(self) -> Telemetry:
        if self._live:
            self.settle()
        return self._within

    @property
    def _outside(self) -> Telemetry:
        if self._live:
            self.settle()
        return self._without

    def _read(self, evidence: Evidence) -> None:
        self._evidence = evidence
        inside = read_telemetry(self._with_origin(evidence.arrivals))
        if evidence.trace_id is None:
            self._within = self._without = inside
        else:
            self._within = inside.within(evidence.trace_id)
            self._without = read_telemetry(self._with_origin(evidence.orphans))

    def _with_origin(self, arrivals: Iterable[Arrival]) -> Iterable[tuple[Envelope, Origin]]:
        for arrival in arrivals:
            if arrival.envelope is not None:
                yield arrival.envelope, origin_of(arrival, self._evidence.services_by_project)
