"""Gathering the evidence of one scenario: trigger, settle, record."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from urllib.parse import urlsplit

import requests

from harness.collector.inbox import Arrival, Inbox
from harness.collector.server import Collector
from harness.fleet.fleet import Fleet, FleetView
from harness.fleet.flushing import FlushReport
from harness.fleet.process import ServiceInstance
from harness.fleet.spec import FleetSpec
from harness.run.marking import Marks
from harness.run.requesting import announced_context, send
from harness.run.scenario import Scenario, Trigger
from harness.run.settling import settle
from harness.telemetry.routing import trace_ids
from harness.verify.evidence import Evidence, Response, ServiceFacts
from harness.wire.trace import SentryTrace

EXIT_TIMEOUT = 15.0
# A sample taken just before the trigger is the state that an event's own figures start from.
RESOURCE_LEAD = 0.5


class TraceBook:
    """Which traces the scenarios started, and thereby what is nobody's.

    Every arrival is looked at once, however many scenarios ask: a trace is known before its first envelope can
    arrive, so what was an orphan stays one.

    Args:
        inbox: where envelopes arrive.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.started: set[str] = set()
        self._inbox = inbox
        self._looking = threading.Lock()
        self._looked_at = 0
        self._orphans: list[Arrival] = []
        self._senders: set[str] = set()

    def new(self) -> SentryTrace:
        """A fresh trace."""
        trace = SentryTrace.new()
        self.started.add(trace.trace_id)
        return trace

    def orphans(self, since: int) -> list[Arrival]:
        """Arrivals that speak of no scenario's trace.

        Args:
            since: number of the first arrival to be listed.
        """
        with self._looking:
            self._look()
            return self._orphans[bisect_left(self._orphans, since, key=attrgetter("number")) :]

    def heard_of(self, project_id: str) -> bool:
        """Whether anything ever arrived for a project."""
        with self._looking:
            self._look()
            return project_id in self._senders

    def _look(self) -> None:
        for arrival in self._inbox.arrivals(since=self._looked_at):
            self._looked_at = arrival.number + 1
            self._senders.add(arrival.project_id)
            if arrival.envelope is None or trace_ids(arrival.envelope).isdisjoint(self.started):
                self._orphans.append(arrival)


def entry_of(trigger: Trigger, spec: FleetSpec) -> str:
    """The service that a trigger is sent to: the way it names, else the fleet's entry, else the target itself."""
    return trigger.via or spec.entry or trigger.service


class Gathering:
    """The evidence of one scenario, and the means to look again.

    Args:
        scenario: what to trigger.
        spec: the fleet's configuration.
        fleet: the shared fleet.
        collector: where the services' envelopes arrive.
        book: the traces of this execution.
        marks: what the request carries beside its trace.
        secrets: further values that must not reach Sentry, by a name for each.
    """

    def __init__(
        self,
        scenario: Scenario,
        spec: FleetSpec,
        fleet: Fleet,
        collector: Collector,
        book: TraceBook,
        *,
        marks: Marks,
        secrets: Mapping[str, str],
    ) -> None:
        self._scenario = scenario
        self._spec = spec
        self._fleet = fleet
        self._collector = collector
        self._book = book
        self._marks = marks
        self._secrets = secrets
        self._trace = book.new()
        self._response: Response | None = None
        self._problem: str | None = None
        self._entry = entry_of(scenario.trigger, spec)
        self._since = 0
        self._started_at = 0.0
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
            self._since = len(self._collector.inbox)
            self._started_at = time.time()
            try:
                url = self._base_url(view)
                self._response = send(self._scenario.trigger, url, self._trace, self._marks.headers)
            except (requests.RequestException, ValueError) as problem:
                self._problem = f"{type(problem).__name__}: {problem}"
            if self._scenario.exit_code is not None:
                view.instances[self._scenario.trigger.service].wait_exit(EXIT_TIMEOUT)
            self._look(view)

    def refresh(self) -> Evidence:
        """Look again after another flush barrier; a scenario on instances of its own is final, they are gone."""
        if not self._scenario.isolated:
            self._look(self._fleet)
        return self.evidence

    def _look(self, view: FleetView) -> None:
        netlocs = {urlsplit(instance.url).netloc: name for name, instance in view.instances.items()}
        reports = settle(
            self._trace.trace_id,
            self._trace.parent_span_id,
            view,
            self._collector.inbox,
            entry=self._entry,
            netlocs=netlocs,
        )
        projects = {instance.dsn.project_id: name for name, instance in view.instances.items()}
        self._evidence = Evidence(
            title=self._scenario.trigger.title,
            target=self._scenario.trigger.service,
            trace_id=self._trace.trace_id,
            span_id=self._trace.parent_span_id,
            entry=self._entry,
            response=self._response,
            problem=self._problem,
            arrivals=tuple(self._collector.inbox.for_trace(self._trace.trace_id)),
            orphans=tuple(self._orphans(projects)),
            services={
                name: self._facts(name, instance, reports.get(name)) for name, instance in view.instances.items()
            },
            services_by_project=projects,
            exit_expected=self._scenario.exit_code is not None,
            marker=self._marks.marker,
            secrets={**self._marks.secrets, **self._secrets},
            sampling_context=announced_context(self._scenario.trigger, self._trace),
        )

    @contextmanager
    def _instances(self) -> Iterator[FleetView]:
        if not self._scenario.isolated:
            yield self._fleet
            return
        with self._fleet.isolated(self._scenario.trigger.service) as view:
            yield view

    def _base_url(self, view: FleetView) -> str:
        url = view.instances[self._entry].url
        target = self._spec.services[self._scenario.trigger.service]
        return url if self._entry == target.name else url + (target.route or "")

    def _orphans(self, projects: Mapping[str, str]) -> Iterator[Arrival]:
        return (arrival for arrival in self._book.orphans(self._since) if arrival.project_id in projects)

    def _facts(self, name: str, instance: ServiceInstance, report: FlushReport | None) -> ServiceFacts:
        return ServiceFacts(
            name=name,
            state=report.state if report else "unknown",
            sdk=next((answer.sdk for answer in report.answered if answer.sdk), None) if report else None,
            foreign_dsn=_foreign_dsn(report, instance),
            url=instance.url,
            exit_code=instance.exit_code,
            ever_contacted=self._book.heard_of(instance.dsn.project_id),
            release=instance.spec.release,
            environment=self._spec.sentry_environment,
            refusals=tuple(
                str(refusal)
                for refusal in self._collector.refusals
                if refusal.service == instance.name and refusal.received_at >= self._started_at
            ),
            log_tail=instance.log_tail(),
            resources=tuple(
                sample
                for sample in self._fleet.resources(instance.name)
                if sample.at >= self._started_at - RESOURCE_LEAD
            ),
        )


def _foreign_dsn(report: FlushReport | None, instance: ServiceInstance) -> str | None:
    for answer in report.answered if report else ():
        if answer.state == "flushed" and answer.dsn != str(instance.dsn):
            return answer.dsn or "no DSN at all"
    return None
