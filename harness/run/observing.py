"""Observing what a page in a browser does: the evidence of an action whose trace the page itself started."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.fleet.fleet import FleetView
from harness.fleet.spec import FleetSpec
from harness.run.gathering import EXIT_TIMEOUT
from harness.run.looking import Followed, Lookout
from harness.run.manifest import Endpoints
from harness.run.scenario import Scenario, Trigger
from harness.verify.evidence import Evidence, PageView, Response
from harness.wire.trace import SentryTrace

_PARAMETER = re.compile(r"\\\{[^{}]*\\\}")


@dataclass(frozen=True, slots=True)
class Visit:
    """A page's stay at a service.

    Args:
        key: by which the execution knows it.
        url: where the service is, without a slash at the end.
        isolated: whether its services are its own.
    """

    key: str
    url: str
    isolated: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """When something began.

    Args:
        since: how many arrivals there were.
        at: the time, in seconds since the epoch.
    """

    since: int
    at: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a page.

    Args:
        trace: the trace that it continues; None when it has no trace headers.
        response: the answer; None when there was none, then `problem` says why.
    """

    method: str
    url: str
    trace: SentryTrace | None
    response: Response | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a page did in one action.

    Args:
        visit: key of the visit.
        page: the service whose page it is.
        path: the page's path.
        action: what was done, in words; None when the page was loaded.
        trace_id: the trace that the page started.
        began: when.
        exchanges: the page's requests meanwhile, in their order.
        view: what the page showed at the end.
        status: expected status of the first answer; None when any is accepted.
        exit_code: the exit code with which the called service is expected to end.
        allowed: code and reason of every finding that the test allows, as in `Scenario`.
    """

    visit: str
    page: str
    path: str
    action: str | None
    trace_id: str
    began: Moment
    exchanges: tuple[Exchange, ...]
    view: PageView
    status: int | None = None
    exit_code: int | None = None
    allowed: tuple[tuple[str, str], ...] = ()

    @property
    def first(self) -> Exchange | None:
        """The first request of the action inside of its trace; of a load, the page itself."""
        if self.action is None:
            return self.exchanges[0] if self.exchanges else None
        own = (held for held in self.exchanges if held.trace is not None and held.trace.trace_id == self.trace_id)
        return next(own, None)


class Observing:
    """The evidence of an observation, and the means to look again.

    Args:
        observation: what a page did.
        view: the instances that the page reaches.
        lookout: what records the evidence.
        secrets: values that must not reach Sentry, by a name for each.
    """

    def __init__(
        self, observation: Observation, view: FleetView, lookout: Lookout, *, secrets: Mapping[str, str]
    ) -> None:
        self._observation = observation
        self._view = view
        self._lookout = lookout
        self._secrets = secrets
        first = observation.first
        addresses = addresses_of(view)
        called = None if first is None else endpoint_of(first, addresses, view.spec)
        self._target, self._path = called or (observation.page, observation.path)
        self._called = self._target if first is None else addresses.get(urlsplit(first.url).netloc, self._target)
        self._evidence: Evidence | None = None

    @property
    def began(self) -> Moment:
        """When the action began."""
        return self._observation.began

    @property
    def evidence(self) -> Evidence:
        """What was observed; looked for when it is first asked for."""
        return self._evidence or self.refresh()

    def scenario(self, key: str) -> Scenario:
        """The observation as a scenario, for the record of the run.

        Args:
            key: to be known by.
        """
        seen, first = self._observation, self._observation.first
        trigger = Trigger(
            service=self._target,
            method="GET" if first is None else first.method,
            path=self._path,
            template=self._path,
            via=seen.page,
            action=None if seen.action is None else f"{seen.page}: {seen.action}",
        )
        return Scenario(
            key,
            trigger,
            seen.status,
            isolated=self._view is not self._lookout.fleet,
            exit_code=seen.exit_code,
            allowed=seen.allowed,
        )

    def refresh(self) -> Evidence:
        """Wait until nothing more can come, and record what came."""
        seen, first = self._observation, self._observation.first
        if seen.exit_code is not None:
            self._view.instances[self._target].wait_exit(EXIT_TIMEOUT)
        announced = None if first is None or first.trace is None else first.trace.parent_span_id
        followed = Followed(
            title=self.scenario("").trigger.title,
            target=self._target,
            trace_id=seen.trace_id,
            span_id=announced,
            entry=seen.page,
            called=self._called,
            since=seen.began.since,
            started_at=seen.began.at,
            response=None if first is None else first.response,
            problem=None if first is None else first.problem,
            exit_expected=seen.exit_code is not None,
            secrets=self._secrets,
            page=seen.view,
        )
        self._evidence = self._lookout.look(followed, self._view)
        return self._evidence


def addresses_of(view: FleetView) -> dict[str, str]:
    """Service names by the host and port at which a page reaches them."""
    return {address: name for name, instance in view.instances.items() for address in instance.addresses}


def endpoint_of(exchange: Exchange, addresses: Mapping[str, str], spec: FleetSpec) -> tuple[str, str] | None:
    """Which service answers a request, and its path there; None when it is none of the fleet's.

    What goes to the entry service under the route of another service is that service's.

    Args:
        exchange: the request.
        addresses: as `addresses_of` gives them.
        spec: the fleet's configuration.
    """
    url = urlsplit(exchange.url)
    name, path = addresses.get(url.netloc), url.path or "/"
    if name is None:
        return None
    if name == spec.entry:
        for service in spec.services.values():
            if service.route is not None and path.startswith(service.route + "/"):
                return service.name, path.removeprefix(service.route)
    return name, path


def covered_endpoints(
    exchanges: Iterable[Exchange],
    manifests: Mapping[str, Endpoints],
    addresses: Mapping[str, str],
    spec: FleetSpec,
) -> Iterator[tuple[str, str, str]]:
    """Service, method and path of the manifests' endpoints that a page has called.

    Args:
        exchanges: the page's requests.
        manifests: endpoints by service; a path may have parameters in braces.
        addresses: as `addresses_of` gives them.
        spec: the fleet's configuration.
    """
    for exchange in exchanges:
        called = endpoint_of(exchange, addresses, spec)
        for method, template in manifests.get(called[0], ()) if called else ():
            pattern = _PARAMETER.sub("[^/]+", re.escape(template))
            if called and method == exchange.method and re.fullmatch(pattern, called[1]):
                yield called[0], method, template
