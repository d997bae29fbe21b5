"""What the record of a run holds of what was captured: answers, services, envelopes, refused requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.collector.faults import Fault

Sample = tuple[float, int, float, int]


@dataclass(frozen=True, slots=True)
class ResponseRecord:
    """What the triggered endpoint answered; a body that is no UTF-8 text is in base64."""

    status: int
    headers: Mapping[str, str]
    body: str
    body_encoding: str
    elapsed_ms: float
    url: str


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """What was known about a service when a capture was complete.

    Args:
        state: outcome of the flush barrier.
        fate: what else befell it, in words.
        aliases: further hosts and ports that it is called at.
        log_tail: the last lines of its output, each by its position in the run's `log_lines`.
        instance: the position of its very instance in the run's `resources`; None when nothing was sampled.
        samples: first and last, exclusive, of the samples of this instance that belong to the capture.
    """

    state: str
    sdk: str | None
    foreign_dsn: str | None
    url: str | None
    exit_code: int | None
    ever_contacted: bool
    release: str | None
    environment: str | None
    refusals: tuple[str, ...]
    log_tail: tuple[int, ...]
    instance: int | None
    samples: tuple[int, int]
    fate: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageRecord:
    """What a page in a browser showed when an action was over.

    Args:
        url: its address.
        console: what it wrote to the console, and which requests failed, line by line.
        screenshot: what was to be seen: JPEG in base64.
    """

    url: str
    console: tuple[str, ...]
    screenshot: str


@dataclass(frozen=True, slots=True)
class CaptureRecord:
    """One trigger and what came of it.

    Args:
        id: the trace that the trigger started.
        execution: id of the execution that triggered it.
        title: the endpoint, such as ``payment GET /debug/crash``.
        method: method and path template are what endpoint coverage counts.
        status: the expected HTTP status; None when any is accepted.
        exit_code: the exit code with which the service is expected to end.
        span_id: the span that the trigger announced as parent.
        envelopes: numbers of the envelopes that speak of the trace.
        orphans: numbers of the first and last envelope without a scenario's trace that the capture saw; every orphan
            of its execution and its projects in between belongs to it.
        projects: names of the services by the project id of their DSN, of the very instances that took part.
        marker: the ``X-Request-Id`` that the trigger sent.
        canaries: the marked credentials that the trigger sent, by name.
        withheld: names of further secrets that were searched for, whose values are nobody's business.
        sampling_context: the dynamic sampling context that the trigger announced.
        page: what the page showed that started the trace; None when the harness sent the trigger.
        faults: positions, in the run's `faults`, of those that the services were put through.
    """

    id: str
    execution: str
    test: str
    title: str
    service: str
    method: str
    path: str
    template: str
    status: int | None
    exit_code: int | None
    isolated: bool
    span_id: str | None
    entry: str | None
    response: ResponseRecord | None
    problem: str | None
    envelopes: tuple[int, ...]
    orphans: tuple[int, int] | None
    services: Mapping[str, ServiceRecord]
    projects: Mapping[str, str]
    marker: str | None
    canaries: Mapping[str, str]
    withheld: tuple[str, ...]
    sampling_context: Mapping[str, str] | None
    page: PageRecord | None
    faults: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EnvelopeRecord:
    """One accepted request.

    Args:
        number: its position in the order of arrival, counted from 0.
        execution: id of the execution during which it came.
        file: where its decoded body is, relative to the report.
        envelope: where the envelope is: the same file, or one of its own where Relay makes it of such a request;
            None where it makes none.
        endpoint: the ingest endpoint, ``envelope`` for nearly all.
        wire_size: bytes of the body as it was on the wire.
        orphan: whether it speaks of no scenario's trace.
        items: types of its items.
    """

    number: int
    execution: str
    file: str
    envelope: str | None
    service: str | None
    project: str
    public_key: str
    endpoint: str
    received_at: float
    headers: tuple[tuple[str, str], ...]
    query: str
    content_encoding: str | None
    wire_size: int
    orphan: bool
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusalRecord:
    """One request that was not accepted.

    Args:
        execution: id of the execution during which it came.
        file: where its body is, as it was on the wire, relative to the report.
        detail: what was wrong.
        text: the refusal in words.
    """

    execution: str
    file: str
    received_at: float
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    status: int
    detail: str
    service: str | None
    text: str


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault that was injected on purpose, and the request that it befell.

    Args:
        execution: id of the execution during which it was.
        file: where the request's body is, as it was on the wire, relative to the report; None for a fault of the
            address, past which no request gets.
        at: when, in seconds since the epoch.
        fault: the fault.
        text: the fault in words.
        service: the service, or the instance where no scenario knows it.
        method: the request's, as all that follows; None for a fault of the address.
        event_id: id of the envelope in it.
        items: types of the items in it.
        quantities: what they are by data category.
        kept: whether Sentry has them all the same.
    """

    execution: str
    file: str | None
    at: float
    fault: Fault
    text: str
    service: str | None
    project: str
    method: str | None
    path: str | None
    query: str | None
    headers: tuple[tuple[str, str], ...]
    event_id: str | None
    items: tuple[str, ...]
    quantities: Mapping[str, int]
    kept: bool


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """What the system saw of one instance of a service.

    Args:
        samples: time in seconds since the epoch, bytes of memory, CPU in percent (100 is one core), threads.
    """

    service: str
    url: str | None
    samples: tuple[Sample, ...]
