"""From what a run leaves behind to its record."""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from harness.collector.inbox import Arrival
from harness.collector.ingest import Refusal
from harness.collector.injecting import Injection
from harness.report.captured import (
    CaptureRecord,
    EnvelopeRecord,
    PageRecord,
    RefusalRecord,
    ResourceRecord,
    ResponseRecord,
    ServiceRecord,
)
from harness.report.faults import fault_record, identity
from harness.report.record import CoverageRecord, ExecutionRecord, FindingRecord, Outcome, RunRecord, TestRecord
from harness.report.withholding import hide, hide_in_bytes, withheld_secrets
from harness.run.harvest import Harvest
from harness.run.scenario import Scenario
from harness.run.summary import RunSummary
from harness.telemetry.resources import ResourceSample
from harness.telemetry.routing import trace_ids
from harness.verify.baseline.settings import BaselineSettings, written_baseline_settings
from harness.verify.canaries import Canary
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts
from harness.verify.finding import Finding
from harness.verify.settings import written_check_settings

Instance = tuple[str, str | None]
Samples = Mapping[Instance, Sequence[ResourceSample]]


def record_run(
    harvest: Harvest,
    summary: RunSummary,
    tests: Iterable[TestRecord],
    *,
    exit_status: int,
    created_at: float,
    root: Path,
    baseline: BaselineSettings,
) -> RunRecord:
    """The record of a run, in an order that does not depend on which test process was faster.

    Args:
        harvest: what the execution leaves behind.
        summary: its numbers.
        tests: the tests that have an outcome. Scenarios that were triggered and have none are added as not run.
        exit_status: pytest's.
        created_at: when the run was over, in seconds since the epoch.
        root: pytest's root directory.
        baseline: what the project configured of its baselines.
    """
    execution = ExecutionRecord(uuid4().hex, str(root), tuple(sorted(harvest.seen.traces)))
    samples = _all_samples(evidence for _, evidence in harvest.gathered)
    gathered = {evidence.trace_id or "": (scenario, evidence) for scenario, evidence in harvest.gathered}
    listed = _with_captures(tests, gathered)
    owners = {trace_id: test.id for test in listed for trace_id in test.captures}
    # A scenario knows its own instance of a service by the service's name, the collector by the instance's.
    services = dict(harvest.seen.services_by_project)
    for _, evidence in harvest.gathered:
        services |= evidence.services_by_project
    notebook = _Notebook(execution.id, samples, harvest.withheld, harvest.seen.faults)
    captures = {trace_id: notebook.capture(owners[trace_id], *gathered[trace_id]) for trace_id in owners}
    return RunRecord(
        harness=version("sentry-verification-harness"),
        created_at=created_at,
        exit_status=exit_status,
        failure=summary.failure,
        notes=(),
        executions=(execution,),
        reference=None,
        items=dict(summary.items),
        coverage=tuple(
            CoverageRecord(of.service, _sorted_endpoints(of.endpoints), _sorted_endpoints(of.missing))
            for of in sorted(summary.coverage, key=lambda of: of.service)
        ),
        coverage_is_enforced=summary.coverage_is_enforced,
        lost=tuple((lost.service, lost.title, lost.trace_id) for lost in summary.lost),
        refusals=tuple(
            _refusal(execution.id, number, refusal) for number, refusal in enumerate(harvest.seen.refusals)
        ),
        faults=tuple(
            fault_record(execution.id, number, injection, services)
            for number, injection in enumerate(harvest.seen.faults)
        ),
        died=summary.died,
        findings=tuple(finding_record(finding) for finding in summary.findings),
        allowed=summary.allowed,
        timing=asdict(summary.timing),
        settings={
            "checks": written_check_settings(harvest.seen.settings),
            "baseline": written_baseline_settings(baseline),
        },
        tests=tuple(listed),
        captures=tuple(captures.values()),
        envelopes=tuple(
            _envelope(execution.id, arrival, services, harvest.seen.traces) for arrival in harvest.seen.arrivals
        ),
        resources=tuple(
            ResourceRecord(
                instance[0],
                instance[1],
                tuple((sample.at, sample.rss_bytes, sample.cpu_percent, sample.threads) for sample in taken),
            )
            for instance, taken in samples.items()
        ),
        log_lines=tuple(notebook.lines),
    )


def finding_record(finding: Finding, *, capture: str | None = None, allowed: str | None = None) -> FindingRecord:
    """A finding for the record, with the capture it was found in and the reason for which it is allowed."""
    return FindingRecord(
        code=finding.code,
        message=finding.message,
        severity=str(finding.severity),
        service=finding.service,
        item=finding.item,
        path=finding.path,
        capture=capture,
        allowed=allowed,
    )


def body_file(arrival: Arrival) -> str:
    """Where the body of an arrival is kept, relative to the report."""
    return f"envelopes/{arrival.number:06d}.{arrival.endpoint}"


def envelope_file(arrival: Arrival) -> str | None:
    """Where the envelope of an arrival is kept: its body, or what Relay makes of it; None when it makes none."""
    # Without a look inside: by that time it is on disk, and not one of those that are read soon.
    if arrival.endpoint == "envelope":
        return body_file(arrival)
    return None if arrival.envelope is None else body_file(arrival) + ".envelope"


def refusal_file(number: int) -> str:
    """Where the body of a refused request is kept, relative to the report.

    Args:
        number: its position in the order of arrival.
    """
    return f"refusals/{number:06d}.body"


def _with_captures(
    tests: Iterable[TestRecord], gathered: Mapping[str, tuple[Scenario, Evidence]]
) -> list[TestRecord]:
    # A test that is run again is triggered again, and only the last trigger has evidence.
    known = {
        test.id: replace(test, captures=tuple(dict.fromkeys(held for held in test.captures if held in gathered)))
        for test in tests
    }
    taken = {trace_id for test in known.values() for trace_id in test.captures}
    for trace_id, (scenario, _) in gathered.items():
        if trace_id in taken or _was_sent_from_within_a_test(scenario):
            continue
        test = known.get(scenario.key) or _not_run(scenario)
        known[scenario.key] = replace(test, captures=(trace_id, *test.captures))
    return sorted(known.values(), key=lambda test: (test.file, test.line, test.id))


def _not_run(scenario: Scenario) -> TestRecord:
    file = scenario.key.split("::")[0]
    return TestRecord(scenario.key, file, 0, Outcome.NOT_RUN, own_outcome=Outcome.NOT_RUN)


def _was_sent_from_within_a_test(scenario: Scenario) -> bool:
    # Such a request has a key made of its title; which test sent it is known only if that test was reported.
    return scenario.key.startswith(f"{scenario.trigger.title} #")


class _Notebook:
    """Writes captures down; what many of them share is written once, and named by its position."""

    def __init__(
        self, execution: str, samples: Samples, withheld: frozenset[str], faults: Iterable[Injection]
    ) -> None:
        self.lines: dict[str, int] = {}
        self._execution = execution
        self._samples = samples
        self._instances = {instance: number for number, instance in enumerate(samples)}
        self._withheld = withheld
        self._faults = {identity(injection): number for number, injection in enumerate(faults)}

    def capture(self, test: str, scenario: Scenario, evidence: Evidence) -> CaptureRecord:
        trigger = scenario.trigger
        unspoken = withheld_secrets(evidence.secrets, self._withheld)
        orphans = [arrival.number for arrival in evidence.orphans]
        return CaptureRecord(
            id=evidence.trace_id or "",
            execution=self._execution,
            test=test,
            title=evidence.title,
            service=trigger.service,
            method=trigger.method,
            path=trigger.path,
            template=trigger.template,
            status=scenario.status,
            exit_code=scenario.exit_code,
            isolated=scenario.isolated,
            span_id=evidence.span_id,
            entry=evidence.entry,
            response=_response(evidence.response, unspoken),
            problem=evidence.problem,
            envelopes=tuple(arrival.number for arrival in evidence.arrivals),
            orphans=(orphans[0], orphans[-1]) if orphans else None,
            services={name: self._service(facts, unspoken) for name, facts in sorted(evidence.services.items())},
            projects=dict(evidence.services_by_project),
            marker=evidence.marker,
            canaries={name: value for name, value in evidence.secrets.items() if name not in self._withheld},
            withheld=tuple(sorted(self._withheld & evidence.secrets.keys())),
            sampling_context=_present(asdict(evidence.sampling_context)) if evidence.sampling_context else None,
            page=_page(evidence.page),
            faults=tuple(self._faults[identity(injection)] for injection in evidence.faults),
        )

    def _service(self, facts: ServiceFacts, unspoken: Sequence[Canary]) -> ServiceRecord:
        samples = self._samples.get((facts.name, facts.url), ())
        own = sorted(sample.at for sample in facts.resources)
        first = bisect_left(samples, own[0], key=lambda sample: sample.at) if own else 0
        return ServiceRecord(
            state=facts.state,
            sdk=facts.sdk,
            foreign_dsn=facts.foreign_dsn,
            url=facts.url,
            exit_code=facts.exit_code,
            ever_contacted=facts.ever_contacted,
            release=facts.release,
            environment=facts.environment,
            refusals=facts.refusals,
            # Scenarios that run at the same time see mostly the same lines.
            log_tail=tuple(
                self.lines.setdefault(line, len(self.lines)) for line in hide(facts.log_tail, unspoken).splitlines()
            ),
            instance=self._instances.get((facts.name, facts.url)),
            samples=(first, first + len(own)),
        )


def _response(response: Response | None, unspoken: Sequence[Canary]) -> ResponseRecord | None:
    if response is None:
        return None
    headers = {name: hide(value, unspoken) for name, value in response.headers.items()}
    content = hide_in_bytes(response.body, unspoken)
    try:
        body, encoding = content.decode(), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(content).decode(), "base64"
    return ResponseRecord(response.status, headers, body, encoding, response.elapsed_ms, response.url)


def _page(page: PageView | None) -> PageRecord | None:
    if page is None:
        return None
    return PageRecord(page.url, page.console, base64.b64encode(page.screenshot).decode())


def _all_samples(all_evidence: Iterable[Evidence]) -> dict[Instance, list[ResourceSample]]:
    # Scenarios run at the same time and see the same samples: kept once, not once for each.
    found: dict[Instance, dict[float, ResourceSample]] = {}
    for evidence in all_evidence:
        for name, facts in evidence.services.items():
            found.setdefault((name, facts.url), {}).update((sample.at, sample) for sample in facts.resources)
    return {instance: [taken[at] for at in sorted(taken)] for instance, taken in found.items()}


def _sorted_endpoints(endpoints: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted(f"{method} {path}" for method, path in endpoints))


def _refusal(execution: str, number: int, refusal: Refusal) -> RefusalRecord:
    return RefusalRecord(
        execution=execution,
        file=refusal_file(number),
        received_at=refusal.received_at,
        method=refusal.method,
        path=refusal.path,
        query=refusal.query,
        headers=refusal.headers,
        status=refusal.status,
        detail=refusal.detail,
        service=refusal.service,
        text=str(refusal),
    )


def _envelope(
    execution: str, arrival: Arrival, services: Mapping[str, str], traces: frozenset[str]
) -> EnvelopeRecord:
    envelope = arrival.envelope
    return EnvelopeRecord(
        number=arrival.number,
        execution=execution,
        file=body_file(arrival),
        envelope=envelope_file(arrival),
        service=services.get(arrival.project_id),
        project=arrival.project_id,
        public_key=arrival.public_key,
        endpoint=arrival.endpoint,
        received_at=arrival.received_at,
        headers=arrival.headers,
        query=arrival.query,
        content_encoding=arrival.content_encoding,
        wire_size=arrival.wire_size,
        orphan=envelope is None or trace_ids(envelope).isdisjoint(traces),
        items=() if envelope is None else tuple(item.type for item in envelope.items),
    )


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
