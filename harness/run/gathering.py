"""Gathering the evidence of one scenario: trigger, settle, record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests

from harness.fleet.fleet import FleetView
from harness.fleet.spec import FleetSpec
from harness.run.faulting import FaultsFromStart
from harness.run.looking import Followed, Lookout
from harness.run.marking import Marks
from harness.run.requesting import announced_context, send
from harness.run.scenario import Scenario, Trigger
from harness.verify.evidence import Evidence, Response

EXIT_TIMEOUT = 15.0


def entry_of(trigger: Trigger, spec: FleetSpec) -> str:
    """The service that a trigger is sent to: the way it names, else the fleet's entry, else the target itself."""
    return trigger.via or spec.entry or trigger.service


class Gathering:
    """The evidence of one scenario, and the means to look again.

    Args:
        scenario: what to trigger.
        lookout: what records the evidence.
        marks: what the request carries beside its trace.
        secrets: further values that must not reach Sentry, by a name for each.
        view: instances that run already, as a test sees them; None for the shared ones, or fresh ones as the scenario
            says.
    """

    def __init__(
        self,
        scenario: Scenario,
        lookout: Lookout,
        *,
        marks: Marks,
        secrets: Mapping[str, str],
        view: FleetView | None = None,
    ) -> None:
        self._scenario = scenario
        self._lookout = lookout
        self._spec = lookout.fleet.spec
        self._marks = marks
        self._secrets = secrets
        self._trace = lookout.book.new()
        self._view = view
        self._entry = entry_of(scenario.trigger, self._spec)
        if view is not None and view.instances[self._entry] is lookout.fleet.instances[self._entry]:
            # The shared one knows nothing of a test's own instances.
            self._entry = scenario.trigger.service
        self._followed: Followed | None = None
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
            since, started_at = len(self._lookout.collector.inbox), time.time()
            response, problem = self._send(self._base_url(view))
            if self._scenario.exit_code is not None:
                view.instances[self._scenario.trigger.service].wait_exit(EXIT_TIMEOUT)
            self._followed = Followed(
                title=self._scenario.trigger.title,
                target=self._scenario.trigger.service,
                trace_id=self._trace.trace_id,
                span_id=self._trace.parent_span_id,
                entry=self._entry,
                called=self._entry,
                since=since,
                started_at=started_at,
                response=response,
                problem=problem,
                exit_expected=self._scenario.exit_code is not None,
                marker=self._marks.marker,
                secrets={**self._marks.secrets, **self._secrets},
                sampling_context=announced_context(self._scenario.trigger, self._trace),
                faults_since=0.0 if self._view is None else started_at,
            )
            self._evidence = self._lookout.look(self._followed, view)

    def refresh(self) -> Evidence:
        """Look again after another flush barrier; a scenario on instances of its own is final, they are gone."""
        if self._followed is not None and not self._scenario.isolated:
            self._evidence = self._lookout.look(self._followed, self._view or self._lookout.fleet)
        return self.evidence

    def _send(self, url: str) -> tuple[Response | None, str | None]:
        try:
            return send(self._scenario.trigger, url, self._trace, self._marks.headers), None
        except (requests.RequestException, ValueError) as problem:
            return None, f"{type(problem).__name__}: {problem}"

    @contextmanager
    def _instances(self) -> Iterator[FleetView]:
        if not self._scenario.isolated:
            yield self._view or self._lookout.fleet
            return
        service, lookout = self._scenario.trigger.service, self._lookout
        with (
            FaultsFromStart(lookout.collector, self._scenario.faults) as faults,
            lookout.fleet.isolated(service, dsn_for=faults.dsn_for) as view,
        ):
            faults.require_known_services()
            yield view

    def _base_url(self, view: FleetView) -> str:
        url = view.instances[self._entry].url
        target = self._spec.services[self._scenario.trigger.service]
        return url if self._entry == target.name else url + (target.route or "")
