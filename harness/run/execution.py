"""One execution: a fleet and a collector for all scenarios, every trigger fired at once, captures handed out."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.collector.faults import Fault
from harness.collector.inbox import DEFAULT_MEMORY, Inbox
from harness.collector.server import Collector, is_loopback
from harness.fleet.choosing import Choice, choose
from harness.fleet.configuration import did_you_mean
from harness.fleet.fleet import Fleet, FleetView
from harness.fleet.instance import StartFailure
from harness.fleet.spec import FleetSpec
from harness.run.authenticating import SHOWN_AS, Authenticator
from harness.run.gathering import Gathering, entry_of
from harness.run.harvest import Harvest
from harness.run.instances import Isolated, IsolatedInstances, ServiceAddress, addresses
from harness.run.isolated_services import IsolatedServices
from harness.run.looking import Lookout
from harness.run.manifest import fetch_manifest
from harness.run.marking import environment_secrets, new_marks
from harness.run.observing import Moment, Observation, Observing, Visit, addresses_of, covered_endpoints
from harness.run.scenario import FleetFailure, InvalidScenario, Scenario, Trigger
from harness.run.summary import RunSummary
from harness.run.tally import Tally
from harness.run.trace_book import TraceBook
from harness.run.visiting import Visits
from harness.verify.evidence import Evidence
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings

CONCURRENT_TRIGGERS = 32


class Execution(IsolatedServices):
    """Runs scenarios against one fleet and hands out the evidence of each.

    Thread-safe: any number of test processes may ask for evidence at the same time.

    Args:
        spec: the fleet.
        directory: where logs are written; removed at the end of a run, unless the fleet did not start.
        settings: what the project configured of the checks.
        choice: the platform that the fleet runs on; processes of this machine by default.
        memory: bytes of what arrives that are kept in memory; the rest is on disk.

    Raises:
        ConfigurationError: the fleet wants tokens, and there is no key to make them with.
    """

    def __init__(
        self,
        spec: FleetSpec,
        directory: Path,
        settings: CheckSettings | None = None,
        *,
        choice: Choice | None = None,
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        choice = choice or choose("process", spec)
        self._spec = spec
        self._platform_name = choice.name
        self._directory = directory
        self._settings = settings or CheckSettings()
        self._authenticator = Authenticator(spec.access)
        self._secrets = {**environment_secrets(spec), **self._authenticator.secrets}
        self._canaries: list[tuple[str, str]] = []
        self._collector = Collector(
            host=choice.collector.host,
            port=choice.collector.port,
            # Of use to nobody: every service has a key of its own. But without one it listens on no network.
            key=None if is_loopback(choice.collector.host) else secrets.token_hex(16),
            inbox=Inbox(memory),
        )
        self._fleet = Fleet(
            spec,
            dsn_for=lambda name: str(self._collector.register(name, choice.dsns.get(name))),
            directory=directory,
            platform=choice.platform,
        )
        self._book = TraceBook(self._collector.inbox)
        super().__init__(IsolatedInstances(self._fleet, self._collector, self._book))
        self._visits = Visits(self._fleet)
        self._lookout = Lookout(self._fleet, self._collector, self._book)
        self._lock = threading.Lock()
        self._reviving = threading.Lock()
        self._tally = Tally()
        self._pool = ThreadPoolExecutor(CONCURRENT_TRIGGERS, thread_name_prefix="trigger")
        self._ready: Future[None] | None = None
        self._gatherings: dict[str, Future[Gathering | Observing]] = {}
        self._handed_out: set[str] = set()
        self._scenarios: dict[str, Scenario] = {}

    @property
    def started(self) -> bool:
        """Whether anything was ever asked of this execution."""
        return self._ready is not None

    def begin(self, scenarios: Iterable[Scenario], *, complete: bool) -> None:
        """Start the fleet if it is not up yet and trigger, all at once, every scenario not triggered before.

        Returns at once. Several test processes announce the same scenarios; the first one counts.

        Args:
            scenarios: what was selected.
            complete: whether this is all there is, so that an endpoint without a scenario is a failure.
        """
        with self._lock:
            self._tally.coverage_is_enforced &= complete
            self._bring_up()
            # Those that need instances of their own take longest: they go first.
            for scenario in sorted(scenarios, key=lambda scenario: not scenario.isolated):
                if scenario.key not in self._scenarios:
                    self._scenarios[scenario.key] = scenario
                    self._tally.note_allowed(scenario.allowed)
                    self._gatherings[scenario.key] = self._pool.submit(self._run, scenario)

    def evidence(self, key: str) -> Evidence:
        """The evidence of a scenario; waits until it is complete. Asked again, the scenario is triggered again.

        Raises:
            FleetFailure: the fleet did not start.
        """
        with self._lock:
            again = key in self._handed_out
            self._handed_out.add(key)
            if again:
                self._gatherings[key] = self._pool.submit(self._run, self._scenarios[key])
            gathering = self._gatherings[key]
        return gathering.result().evidence

    def refresh(self, key: str) -> Evidence:
        """The evidence of a scenario after another flush barrier."""
        return self._gatherings[key].result().refresh()

    def trigger(self, triggers: Sequence[Trigger], own: str | None = None) -> list[str]:
        """Send requests from within a test, all at once; gives a key for the evidence of each.

        Args:
            triggers: what to send.
            own: key of isolated instances to send to; None for the shared ones.
        """
        view = None if own is None else self._isolated.view(own)
        keys = []
        with self._lock:
            self._bring_up()
            for trigger in triggers:
                key = f"{trigger.title} #{len(self._scenarios) + 1}"
                self._scenarios[key] = Scenario(key, trigger, status=None)
                self._gatherings[key] = self._pool.submit(self._run, self._scenarios[key], view)
                keys.append(key)
        return keys

    def services(self) -> dict[str, ServiceAddress]:
        """The running services; starts the fleet if it is not up yet.

        Raises:
            FleetFailure: the fleet did not start.
        """
        self._wait_until_up()
        return addresses(self._fleet, self._fleet.instances)

    def isolate(
        self,
        services: Sequence[str],
        environment: Mapping[str, Mapping[str, str]],
        faults: Sequence[Fault] = (),
        definition: Mapping[str, Mapping[str, object]] = MappingProxyType({}),
    ) -> Isolated:
        """Start instances of services for a test alone; see `harness.fleet.fleet.Fleet.isolated`.

        Raises:
            FleetFailure: the fleet did not start.
            InvalidScenario: a fault is meant for another service.
            LookupError: there is no such service.
            StartFailure: one of the instances did not start.
        """
        self._wait_until_up()
        return self._isolated.open(services, environment, faults, definition)

    def token(self, claims: Mapping[str, Any]) -> str:
        """A token as triggers get it, with some claims of its own.

        Raises:
            InvalidScenario: the fleet has no ``[fleet.token]``.
        """
        return self._authenticator.token(claims)

    def visit(self, service: str, isolated: Sequence[str] = ()) -> Visit:
        """Make a service ready for a page in a browser; starts the fleet if it is not up yet.

        Args:
            service: the service whose page it is.
            isolated: services to start anew for this page alone; itself and the entry service then are as well.

        Raises:
            FleetFailure: the fleet did not start.
            InvalidScenario: there is no such service, or it does not start.
        """
        self._wait_until_up()
        for name in (service, *isolated):
            self._require(name, "the browser")
        if not isolated:
            self._revive(service, *filter(None, [self._spec.entry]))
        return self._visits.open(service, isolated)

    def leave(self, visit: str) -> None:
        """End a visit, with the services that were started for it."""
        self._visits.leave(visit)

    def moment(self) -> Moment:
        """Now, as evidence counts it."""
        return Moment(len(self._collector.inbox), time.time())

    def adopt(self, trace_ids: Sequence[str]) -> None:
        """Take traces that a page started for this run's own."""
        self._book.adopt(*trace_ids)

    def observe(self, observation: Observation) -> str:
        """Begin to gather the evidence of what a page did; gives a key for it."""
        view = self._visits.view(observation.visit)
        with self._lock:
            observing = Observing(observation, view, self._lookout, secrets=self._secrets)
            scenario = observing.scenario("")
            key = f"{scenario.trigger.title} #{len(self._scenarios) + 1}"
            self._scenarios[key] = replace(scenario, key=key)
            self._tally.note_allowed(observation.allowed)
            self._gatherings[key] = self._pool.submit(self._look, key, observing)
        self._book.adopt(observation.trace_id)
        manifests = self._tally.manifests
        self._tally.note_triggered(
            covered_endpoints(observation.exchanges, manifests, addresses_of(view), self._spec)
        )
        return key

    def stop(self) -> RunSummary:
        """End everything, in whatever state it is, and say what was verified."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for name in self._fleet.instances:
            self._note_death(name)
        # First of all, because a start that is under way ends by it. What the services send at their end counts too.
        self._fleet.stop()
        self._pool.shutdown(wait=True)
        summary = self._tally.summary(
            self._all_that_arrived(), scenarios=len(self._scenarios), failure=self._failure()
        )
        self._collector.stop()
        if summary.failure is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        return summary

    def harvest(self) -> Harvest:
        """Everything that was gathered until now; scenarios that are still under way, or failed, are left out."""
        finished = {
            key: gathering.result().evidence
            for key, gathering in list(self._gatherings.items())
            if gathering.done() and not gathering.cancelled() and gathering.exception() is None
        }
        return Harvest(
            gathered=tuple((self._scenarios[key], evidence) for key, evidence in finished.items()),
            seen=self._all_that_arrived(),
            withheld=frozenset([*self._secrets, SHOWN_AS]),
            platform=self._platform_name,
        )

    def _bring_up(self) -> Future[None]:
        """Start collector and fleet in the background if that has not been done; the lock is held."""
        if self._ready is None:
            self._ready = self._pool.submit(self._start)
        return self._ready

    def _wait_until_up(self) -> None:
        with self._lock:
            ready = self._bring_up()
        ready.result()

    def _start(self) -> None:
        started = time.perf_counter()
        try:
            self._collector.start()
            self._fleet.start()
            for name, service in self._spec.services.items():
                if service.manifest is not None:
                    url = self._fleet.instances[name].url + service.manifest
                    self._tally.manifests[name] = fetch_manifest(name, url, self._authenticator.headers())
        except Exception as problem:
            raise FleetFailure(str(problem)) from problem
        self._tally.note_up(time.perf_counter() - started)

    def _require(self, service: str, asked_by: str) -> None:
        if service not in self._spec.services:
            guess = did_you_mean(service, self._spec.services)
            raise InvalidScenario(f"{asked_by}: the fleet has no service {service!r}.{guess}")

    def _look(self, key: str, observing: Observing) -> Observing:
        evidence = observing.refresh()
        self._tally.note_captured(key, evidence.title, time.time() - observing.began.at)
        return observing

    def _run(self, scenario: Scenario, view: FleetView | None = None) -> Gathering:
        assert self._ready is not None  # noqa: S101 - begin and trigger set it before they submit
        self._ready.result()
        for name in filter(None, (scenario.trigger.service, scenario.trigger.via)):
            self._require(name, scenario.trigger.title)
        if not scenario.isolated and view is None:
            self._revive(scenario.trigger.service, entry_of(scenario.trigger, self._spec))
        self._tally.note_triggered([scenario.trigger.endpoint])
        marks = new_marks(with_canaries=self._settings.flag("secrets", "canaries", default=True))
        marks = self._authenticator.let_in(scenario.trigger, marks)
        self._canaries += marks.secrets.items()
        gathering = Gathering(scenario, self._lookout, marks=marks, secrets=self._secrets, view=view)
        started = time.perf_counter()
        gathering.run()
        self._tally.note_captured(scenario.key, scenario.trigger.title, time.perf_counter() - started)
        return gathering

    def _revive(self, *services: str) -> None:
        """Start services again that have died of an earlier request, so that no scenario is judged by that."""
        for name in dict.fromkeys(services):
            with self._reviving:
                self._note_death(name)
                try:
                    self._fleet.revive(name)
                except StartFailure as problem:
                    raise InvalidScenario(
                        f"{name} died of an earlier request and is not up again: {problem}"
                    ) from problem

    def _note_death(self, name: str) -> None:
        code = self._fleet.instances[name].exit_code
        if code is not None:
            self._tally.note_death(name, code)

    def _failure(self) -> str | None:
        if self._ready is None or not self._ready.done() or self._ready.cancelled():
            return None
        problem = self._ready.exception()
        return None if problem is None else str(problem)

    def _all_that_arrived(self) -> RunSubject:
        arrivals = tuple(self._collector.inbox.arrivals())
        projects = {arrival.project_id for arrival in arrivals}
        return RunSubject(
            arrivals=arrivals,
            settings=self._settings,
            refusals=tuple(self._collector.refusals),
            services_by_project={project: self._collector.service_of(project) or "?" for project in projects},
            traces=frozenset(self._book.started),
            secrets=(*self._canaries, *self._secrets.items()),
            faults=tuple(self._collector.faults.injections),
        )
