"""Looking at a trace: wait until nothing more of it can come, and record everything that is known then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.collector.inbox import Arrival
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet, FleetView
from harness.fleet.flushing import FlushReport
from harness.fleet.instance import ServiceInstance
from harness.run.faulting import flush_patience, injections_of, names_of
from harness.run.settling import settle, spans_of
from harness.run.trace_book import TraceBook
from harness.telemetry.reading import Telemetry, read_telemetry
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts, origin_of
from harness.wire.trace import DynamicSamplingContext

# A sample taken just before the trigger is the state that an event's own figures start from.
RESOURCE_LEAD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A trace, and what is known of it before anybody looks what was captured.

    Args:
        title: what started it, such as ``payment GET /debug/crash``.
        target: the service that it is about.
        trace_id: the trace.
        span_id: the span that was announced to the first service as its parent; None when none was called.
        entry: the service that was called first, or whose page it is.
        called: the service that the span was announced to.
        since: how many arrivals there were when it started.
        started_at: when it started, in seconds since the epoch.
        response: the answer; None when there was none.
        problem: why there was no answer.
        exit_expected: whether the target's process was to end.
        marker: the id that the request carried.
        secrets: what must not reach Sentry, by a name for it.
        sampling_context: what was announced.
        page: what the browser showed; None when no browser took part.
        faults_since: from when on faults of the instances count; those before are of earlier requests.
    """

    title: str
    target: str
    trace_id: str
    span_id: str | None
    entry: str
    called: str
    since: int
    started_at: float
    response: Response | None = None
    problem: str | None = None
    exit_expected: bool = False
    marker: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    sampling_context: DynamicSamplingContext | None = None
    page: PageView | None = None
    faults_since: float = 0.0


class Lookout:
    """Records what there is to a trace.

    Args:
        fleet: the shared fleet.
        collector: where the services' envelopes arrive.
        book: the traces of this execution.
    """

    def __init__(self, fleet: Fleet, collector: Collector, book: TraceBook) -> None:
        self.fleet = fleet
        self.collector = collector
        self.book = book

    def look(self, followed: Followed, view: FleetView) -> Evidence:
        """Wait until nothing more of a trace can come, and record what came.

        Args:
            followed: the trace.
            view: the instances that may have taken part.
        """
        inbox = self.collector.inbox
        netlocs = {address: name for name, instance in view.instances.items() for address in instance.addresses}
        instances = names_of(view)
        reports = settle(
            followed.trace_id,
            followed.span_id,
            view,
            inbox,
            entry=followed.called,
            netlocs=netlocs,
            deprived=lambda: {
                str(held.service)
                for held in injections_of(self.collector, instances, followed.faults_since)
                if held.costs_telemetry
            },
            flush_timeout=flush_patience(self.collector, instances),
        )
        projects = {instance.dsn.project_id: name for name, instance in view.instances.items()}
        own = inbox.for_trace(followed.trace_id)
        orphans = [held for held in self.book.orphans(followed.since) if held.project_id in projects]
        if followed.page is not None:
            own = _with_replays(own, inbox.arrivals(since=followed.since), projects)
            orphans = [held for held in orphans if held not in own]
        return Evidence(
            title=followed.title,
            target=followed.target,
            trace_id=followed.trace_id,
            span_id=self._root(followed),
            entry=followed.entry,
            response=followed.response,
            problem=followed.problem,
            arrivals=tuple(own),
            orphans=tuple(orphans),
            services={
                name: self._facts(name, instance, reports.get(name), followed)
                for name, instance in view.instances.items()
            },
            services_by_project=projects,
            exit_expected=followed.exit_expected,
            marker=followed.marker,
            secrets=followed.secrets,
            sampling_context=followed.sampling_context,
            page=followed.page,
            faults=injections_of(self.collector, instances, followed.faults_since),
        )

    def _root(self, followed: Followed) -> str | None:
        # A page that makes a request inside of a span of its own sends that span: the trace then has its root within.
        if followed.page is None:
            return followed.span_id
        sent = {span.span_id for span in spans_of(followed.trace_id, self.collector.inbox)}
        return None if followed.span_id in sent else followed.span_id

    def _facts(
        self, name: str, instance: ServiceInstance, report: FlushReport | None, followed: Followed
    ) -> ServiceFacts:
        return ServiceFacts(
            name=name,
            state=report.state if report else "unknown",
            sdk=next((answer.sdk for answer in report.answered if answer.sdk), None) if report else None,
            foreign_dsn=_foreign_dsn(report, instance),
            url=instance.url,
            exit_code=instance.exit_code,
            fate=instance.fate(),
            aliases=instance.addresses[1:],
            ever_contacted=self.book.heard_of(instance.dsn.project_id),
            release=instance.spec.release,
            environment=self.fleet.spec.sentry_environment,
            refusals=tuple(
                str(refusal)
                for refusal in self.collector.refusals
                if refusal.service == instance.name and refusal.received_at >= followed.started_at
            ),
            log_tail=instance.log_tail(),
            resources=tuple(
                sample
                for sample in self.fleet.resources(instance.name)
                if sample.at >= followed.started_at - RESOURCE_LEAD
            ),
        )


def _with_replays(
    own: Iterable[Arrival], since: Iterable[Arrival], services_by_project: Mapping[str, str]
) -> list[Arrival]:
    """A trace's arrivals with the session replays that its errors name, which need not name the trace."""
    held = {arrival.number: arrival for arrival in own}
    named = {event.replay_id for arrival in held.values() for event in _read(arrival, services_by_project).events}
    for arrival in since if named - {None} else ():
        if any(replay.replay_id in named for replay in _read(arrival, services_by_project).replays):
            held[arrival.number] = arrival
    return [held[number] for number in sorted(held)]


def _read(arrival: Arrival, services_by_project: Mapping[str, str]) -> Telemetry:
    held = [] if arrival.envelope is None else [(arrival.envelope, origin_of(arrival, services_by_project))]
    return read_telemetry(held)


def _foreign_dsn(report: FlushReport | None, instance: ServiceInstance) -> str | None:
    for answer in report.answered if report else ():
        if answer.state == "flushed" and answer.dsn != str(instance.dsn):
            return answer.dsn or "no DSN at all"
    return None
