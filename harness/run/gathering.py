"""Gathering the evidence of one scenario: trigger, settle, record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from harness.collector.inbox import Arrival
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet, FleetView
from harness.fleet.flushing import FlushReport
from harness.fleet.process import ServiceInstance
from harness.fleet.spec import FleetSpec
from harness.run.requesting import sampling_context, send
from harness.run.scenario import Scenario
from harness.run.settling import settle
from harness.telemetry.routing import trace_ids
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.wire.trace import DynamicSamplingContext, SentryTrace

EXIT_TIMEOUT = 15.0
# A sample taken just before the trigger is the state that an event's own figures start from.
RESOURCE_LEAD = 0.5


@dataclass(slots=True)
class TraceBook:
    """Which traces the scenarios started, so that everything else is known to be an orphan."""

    started: set[str] = field(default_factory=set)
    _known: dict[int, frozenset[str]] = field(default_factory=dict)

    def new(self) -> SentryTrace:
        """A fresh trace."""
        trace = SentryTrace.new()
        self.started.add(trace.trace_id)
        return trace

    def is_orphan(self, arrival: Arrival) -> bool:
        """Whether an envelope speaks of no scenario's trace."""
        if arrival.envelope is None:
            return True
        if arrival.number not in self._known:
            self._known[arrival.number] = trace_ids(arrival.envelope)
        return self._known[arrival.number].isdisjoint(self.started)


class Gathering:
    """The evidence of one scenario, and the means to look again.

    Args:
        scenario: what to trigger.
        spec: the fleet's configuration.
        fleet: the shared fleet.
        collector: where the services' envelopes arrive.
        book: the traces of this execution.
    """

    def __init__(
        self, scenario: Scenario, spec: FleetSpec, fleet: Fleet, collector: Collector, book: TraceBook
    ) -> None:
        self._scenario = scenario
        self._spec = spec
        self._fleet = fleet
        self._collector = collector
        self._book = book
        self._trace = book.new()
        self._response: Response | None = None
        self._problem: str | None = None
        self._evidence: Evidence | None = None

    @property
    def evidence(self) -> Evidence:
        """What was gathered.

        Raises:
            LookupError: `run` has not been called.
        """
        if self._evidence is None:
            raise LookupError("nothing was gathered yet")
        return self._evidence

    def run(self) -> None:
        """Trigger the endpoint, wait until nothing more can come, and record what came."""
        with self._instances() as view:
            since = len(self._collector.inbox)
            started_at = time.time()
            entry = self._entry()
            try:
                self._response = send(self._scenario.trigger, self._base_url(view, entry), self._trace)
            except requests.RequestException as problem:
                self._problem = f"{type(problem).__name__}: {problem}"
            if self._scenario.exit_code is not None:
                view.instances[self._scenario.trigger.service].wait_exit(EXIT_TIMEOUT)
            self._look(view, since, started_at, entry)

    def refresh(self) -> Evidence:
        """Look again after another flush barrier; a scenario on instances of its own is final, they are gone."""
        if not self._scenario.isolated:
            self._look(self._fleet, self._since, self._started_at, self._entry())
        return self.evidence

    def _look(self, view: FleetView, since: int, started_at: float, entry: str) -> None:
        self._since, self._started_at = since, started_at
        netlocs = {urlsplit(instance.url).netloc: name for name, instance in view.instances.items()}
        reports = settle(
            self._trace.trace_id,
            self._trace.parent_span_id,
            view,
            self._collector.inbox,
            entry=entry,
            netlocs=netlocs,
        )
        projects = {instance.dsn.project_id: name for name, instance in view.instances.items()}
        self._evidence = Evidence(
            title=self._scenario.trigger.title,
            target=self._scenario.trigger.service,
            trace_id=self._trace.trace_id,
            span_id=self._trace.parent_span_id,
            response=self._response,
            problem=self._problem,
            arrivals=tuple(self._collector.inbox.for_trace(self._trace.trace_id)),
            orphans=tuple(self._orphans(projects, since)),
            services={
                name: self._facts(name, instance, reports.get(name), started_at)
                for name, instance in view.instances.items()
            },
            services_by_project=projects,
            sampling_context=self._sampling_context(),
        )

    @contextmanager
    def _instances(self) -> Iterator[FleetView]:
        if not self._scenario.isolated:
            yield self._fleet
            return
        with self._fleet.isolated(self._scenario.trigger.service) as view:
            yield view

    def _sampling_context(self) -> DynamicSamplingContext | None:
        overridden = {name.lower() for name in self._scenario.trigger.headers} & {"baggage", "sentry-trace"}
        return None if overridden else sampling_context(self._trace)

    def _entry(self) -> str:
        return self._scenario.trigger.via or self._spec.entry or self._scenario.trigger.service

    def _base_url(self, view: FleetView, entry: str) -> str:
        url = view.instances[entry].url
        target = self._spec.services[self._scenario.trigger.service]
        return url if entry == target.name else url + (target.route or "")

    def _orphans(self, projects: Mapping[str, str], since: int) -> Iterator[Arrival]:
        for arrival in self._collector.inbox.arrivals(since=since):
            if arrival.project_id in projects and self._book.is_orphan(arrival):
                yield arrival

    def _facts(
        self, name: str, instance: ServiceInstance, report: FlushReport | None, started_at: float
    ) -> ServiceFacts:
        return ServiceFacts(
            name=name,
            state=report.state if report else "unknown",
            sdk=next((answer.sdk for answer in report.answered if answer.sdk), None) if report else None,
            exit_code=instance.exit_code,
            ever_contacted=bool(self._collector.inbox.arrivals(project_id=instance.dsn.project_id)),
            release=instance.spec.release,
            environment=self._spec.sentry_environment,
            refusals=tuple(str(refusal) for refusal in self._collector.refusals if refusal.service == instance.name),
            log_tail=instance.log_tail(),
            resources=tuple(
                sample for sample in self._fleet.resources(instance.name) if sample.at >= started_at - RESOURCE_LEAD
            ),
        )
