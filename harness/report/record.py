"""The record of a run: what ``run.json`` holds, and what every report is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA = "sentry-verification-harness/run"
VERSION = 1

Sample = tuple[float, int, float, int]


class Outcome(StrEnum):
    """How a test ended."""

    FAILED = "failed"
    ERROR = "error"
    NOT_RUN = "not run"
    PASSED = "passed"
    SKIPPED = "skipped"

    @property
    def is_bad(self) -> bool:
        """Whether it keeps the run from being a good one."""
        return self in (Outcome.FAILED, Outcome.ERROR, Outcome.NOT_RUN)


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """What a check reported.

    Args:
        capture: id of the capture it was found in; None for a finding over the whole run.
        allowed: the reason for which it is allowed; None when it is not.
    """

    code: str
    message: str
    severity: str
    service: str | None = None
    item: str | None = None
    path: str | None = None
    capture: str | None = None
    allowed: str | None = None

    @property
    def check(self) -> str:
        """The check that reports it."""
        return self.code.partition(".")[0]

    @property
    def fails(self) -> bool:
        """Whether it fails the test or the run."""
        return self.allowed is None and self.severity == "error"


@dataclass(frozen=True, slots=True)
class DifferenceRecord:
    """What differs from the baseline: ``lost``, ``changed`` or ``gained``, at a JSON path."""

    kind: str
    path: str
    expected: Any = None
    actual: Any = None


@dataclass(frozen=True, slots=True)
class TestRecord:
    """One test.

    Args:
        id: pytest's node id.
        file: where it is written, relative to pytest's root directory.
        line: its first line, counted from 1.
        seconds: how long it took, set-up and tear-down included.
        message: why it failed or was skipped, in pytest's words.
        captures: ids of its captures, its scenario's own first.
        allowed: code and reason of everything that it allows, found or not.
    """

    __test__ = False

    id: str
    file: str
    line: int
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    captures: tuple[str, ...] = ()
    allowed: tuple[tuple[str, str], ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    differences: tuple[DifferenceRecord, ...] = ()


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
        log_tail: the last lines of its output, each by its position in the run's `log_lines`.
        samples: first and last, exclusive, of the samples of this very instance that belong to the capture.
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
    samples: tuple[int, int]


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
        title: the endpoint, such as ``payment GET /debug/crash``.
        method: method and path template are what endpoint coverage counts.
        status: the expected HTTP status; None when any is accepted.
        exit_code: the exit code with which the service is expected to end.
        span_id: the span that the trigger announced as parent.
        envelopes: numbers of the envelopes that speak of the trace.
        orphans: numbers of the first and last envelope without a scenario's trace that the capture saw; every orphan
            of its projects in between belongs to it.
        projects: names of the services by the project id of their DSN, of the very instances that took part.
        marker: the ``X-Request-Id`` that the trigger sent.
        canaries: the marked credentials that the trigger sent, by name.
        withheld: names of further secrets that were searched for, whose values are nobody's business.
        sampling_context: the dynamic sampling context that the trigger announced.
        page: what the page showed that started the trace; None when the harness sent the trigger.
    """

    id: str
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


@dataclass(frozen=True, slots=True)
class EnvelopeRecord:
    """One accepted request.

    Args:
        number: its position in the order of arrival, counted from 0.
        file: where its decoded body is, relative to the report.
        envelope: where the envelope is: the same file, or one of its own where Relay makes it of such a request;
            None where it makes none.
        endpoint: the ingest endpoint, ``envelope`` for nearly all.
        wire_size: bytes of the body as it was on the wire.
        orphan: whether it speaks of no scenario's trace.
        items: types of its items.
    """

    number: int
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
class CoverageRecord:
    """Debug endpoints of a service, as ``GET /debug/crash``, and those among them that no scenario triggers."""

    service: str
    endpoints: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """What the system saw of one instance of a service, which its URL tells from others.

    Args:
        samples: time in seconds since the epoch, bytes of memory, CPU in percent (100 is one core), threads.
    """

    service: str
    url: str | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.

    Args:
        harness: version of this harness.
        created_at: when the run was over, in seconds since the epoch.
        exit_status: pytest's.
        failure: why the fleet did not start.
        items: how many of each item type arrived.
        coverage_is_enforced: whether an endpoint without a scenario fails the run.
        lost: errors outside of every scenario's trace: service, title, trace id.
        refusals: requests that the collector refused, in words.
        died: services that ended although no scenario expects it, with their exit codes; they fail the run.
        findings: findings over the run as a whole that no scenario allows.
        allowed: those that some scenario allows, in words, each with its reason.
        timing: durations in seconds, by name.
        settings: the table ``[checks]``.
        resources: what the system saw of each instance of each service.
        log_lines: every line of the services' output that some capture saw, once.
    """

    harness: str
    created_at: float
    exit_status: int
    failure: str | None
    items: Mapping[str, int]
    coverage: tuple[CoverageRecord, ...]
    coverage_is_enforced: bool
    lost: tuple[tuple[str, str, str | None], ...]
    refusals: tuple[str, ...]
    died: tuple[tuple[str, int], ...]
    findings: tuple[FindingRecord, ...]
    allowed: tuple[str, ...]
    timing: Mapping[str, float | str]
    settings: Mapping[str, Any]
    tests: tuple[TestRecord, ...]
    captures: tuple[CaptureRecord, ...]
    envelopes: tuple[EnvelopeRecord, ...]
    resources: tuple[ResourceRecord, ...]
    log_lines: tuple[str, ...]
    schema: str = SCHEMA
    version: int = VERSION
    tests_by_outcome: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        counted = {str(outcome): 0 for outcome in Outcome}
        for test in self.tests:
            counted[test.outcome] += 1
        object.__setattr__(self, "tests_by_outcome", counted)

    @property
    def passed(self) -> bool:
        """The verdict."""
        return self.exit_status == 0

    def samples(self, service: str, url: str | None) -> tuple[Sample, ...]:
        """What the system saw of one instance."""
        return next((held.samples for held in self.resources if (held.service, held.url) == (service, url)), ())

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Endpoints without a scenario, as ``payment GET /debug/crash``."""
        return tuple(f"{of.service} {endpoint}" for of in self.coverage for endpoint in of.missing)

    @property
    def all_findings(self) -> tuple[FindingRecord, ...]:
        """Findings over the run as a whole, then those of each test."""
        return self.findings + tuple(finding for test in self.tests for finding in test.findings)
