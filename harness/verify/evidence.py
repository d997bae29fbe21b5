"""Everything known about one scenario, as plain data that travels between processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from harness.collector.inbox import Arrival
from harness.collector.injecting import Injection
from harness.telemetry.origin import Origin
from harness.telemetry.resources import ResourceSample
from harness.wire.trace import DynamicSamplingContext


@dataclass(frozen=True, slots=True)
class Response:
    """What the triggered endpoint answered.

    Args:
        headers: header names are lower-case.
        elapsed_ms: from sending the request to having the whole body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: float
    url: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is none; the message shows its beginning.
        """
        try:
            return json.loads(self.body)
        except ValueError as problem:
            raise ValueError(f"{self.url} answered {self.status} without JSON: {self.text[:200]!r}") from problem


@dataclass(frozen=True, slots=True)
class PageView:
    """What a page in a browser showed when an action was over.

    Args:
        url: its address.
        console: what it wrote to the console during the action, and which requests failed, line by line.
        screenshot: what was to be seen, as JPEG.
    """

    url: str
    console: tuple[str, ...] = ()
    screenshot: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the fleet and the collector know about one service at the time of the capture.

    Args:
        state: outcome of the flush barrier: ``flushed``, ``no-sdk``, ``not-initialised``, ``no-agent``, ``exited``,
            ``timed-out``, ``failed``; ``unknown`` when the service was never asked.
        sdk: name and version of the SDK that answered.
        foreign_dsn: where the SDK says that it sends to, when that is not the DSN that the fleet gave it.
        url: where it is called, without a slash at the end.
        aliases: further hosts and ports, in the form of a URL, that it is called at by others.
        exit_code: set when the process has ended.
        fate: what befell it beyond that, in words: who ended it, how often it was started again.
        ever_contacted: whether the collector ever heard of it.
        release: release and Sentry environment that the fleet gave it.
        refusals: requests of this service that the collector refused, in words.
        log_tail: the last lines of its output.
        resources: samples taken while the scenario ran.
    """

    name: str
    state: str = "unknown"
    sdk: str | None = None
    foreign_dsn: str | None = None
    url: str | None = None
    exit_code: int | None = None
    ever_contacted: bool = False
    release: str | None = None
    environment: str | None = None
    refusals: tuple[str, ...] = ()
    log_tail: str = field(default="", repr=False)
    resources: tuple[ResourceSample, ...] = field(default=(), repr=False)
    fate: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def addresses(self) -> frozenset[str]:
        """Every host and port that it is called at."""
        return frozenset([*([urlsplit(self.url).netloc] if self.url else []), *self.aliases])


@dataclass(frozen=True, slots=True)
class Evidence:
    """The record of one scenario.

    Args:
        title: the endpoint, such as ``payment GET /debug/crash``.
        target: the service that the endpoint belongs to.
        trace_id: the scenario's own trace; None when everything that arrives counts (in-process captures).
        span_id: the span that the trigger announced as parent; None when a page sent the trace's root itself.
        entry: the service that the trigger was sent to, or whose page started the trace.
        response: the answer; None when there was none, then `problem` says why.
        arrivals: envelopes that speak of the trace.
        orphans: envelopes that the services sent meanwhile without a trace or in a trace that no scenario started.
        services: facts by service name.
        services_by_project: service names by the project id of their DSN.
        exit_expected: whether the service's process was to end by the request, maybe without an answer.
        marker: an id of this scenario alone, sent as ``X-Request-Id``.
        secrets: what must not reach Sentry, by a name for it: credentials that the trigger sent, secrets in the
            services' environment.
        sampling_context: the dynamic sampling context that the trigger announced; None when it announced none.
        page: what the page showed that started the trace, in a browser; None when the harness sent the trigger.
        faults: what the services were put through on purpose.
    """

    title: str
    target: str
    trace_id: str | None
    span_id: str | None = None
    entry: str | None = None
    response: Response | None = None
    problem: str | None = None
    arrivals: tuple[Arrival, ...] = field(default=(), repr=False)
    orphans: tuple[Arrival, ...] = field(default=(), repr=False)
    services: Mapping[str, ServiceFacts] = field(default_factory=dict, repr=False)
    services_by_project: Mapping[str, str] = field(default_factory=dict, repr=False)
    exit_expected: bool = False
    marker: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    sampling_context: DynamicSamplingContext | None = None
    page: PageView | None = None
    faults: tuple[Injection, ...] = field(default=(), repr=False)

    def lacks_on_purpose(self, *categories: str) -> bool:
        """Whether faults may have kept something from arriving, so that a gap is nobody's fault.

        Args:
            categories: the data categories in which there is a gap, such as ``error``.
        """
        return any(fault.may_cost(categories) for fault in self.faults)


def origin_of(arrival: Arrival, services_by_project: Mapping[str, str]) -> Origin:
    """The sender of an arrival.

    Args:
        arrival: what arrived.
        services_by_project: service names by the project id of their DSN.
    """
    return Origin(
        service=services_by_project.get(arrival.project_id),
        project_id=arrival.project_id,
        number=arrival.number,
        received_at=arrival.received_at,
        envelope_headers=arrival.envelope.headers if arrival.envelope is not None else {},
    )
