"""From a report back to evidence: each capture as its test saw it, and the run as its checks saw it."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from dataclasses import replace
from pathlib import Path

from harness.collector.inbox import Arrival
from harness.report.captured import CaptureRecord, PageRecord, ResponseRecord, ServiceRecord
from harness.report.record import ExecutionRecord
from harness.report.report import Report
from harness.telemetry.resources import ResourceSample
from harness.verify.capture import Capture
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from harness.wire.trace import DynamicSamplingContext


class EvidenceOfReport:
    """Gives the evidence of a report, but for secrets of the services' environment, whose values are in no report.

    Args:
        report: the report.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._orphans: dict[str, list[int]] = {execution.id: [] for execution in report.record.executions}
        for held in report.record.envelopes:
            if held.orphan:
                self._orphans[held.execution].append(held.number)
        self._captures = {capture.id: capture for capture in report.record.captures}

    def capture(self, capture_id: str) -> Capture:
        """A capture, final as it is: nothing more can come."""
        return Capture(self.evidence(self._captures[capture_id]))

    def root(self, capture_id: str) -> Path:
        """Pytest's root directory where a capture was made."""
        of = self._captures[capture_id].execution
        return next(Path(execution.root) for execution in self._report.record.executions if execution.id == of)

    def evidence(self, capture: CaptureRecord) -> Evidence:
        """What was gathered for a capture."""
        arrivals = self._report.arrivals
        return Evidence(
            title=capture.title,
            target=capture.service,
            trace_id=capture.id,
            span_id=capture.span_id,
            entry=capture.entry,
            response=None if capture.response is None else _response(capture.response),
            problem=capture.problem,
            arrivals=tuple(arrivals[number] for number in capture.envelopes),
            orphans=self._orphans_of(capture),
            services={name: self._facts(name, held) for name, held in capture.services.items()},
            services_by_project=capture.projects,
            marker=capture.marker,
            secrets=capture.canaries,
            sampling_context=None
            if capture.sampling_context is None
            else DynamicSamplingContext(**capture.sampling_context),
            exit_expected=capture.exit_code is not None,
            page=None if capture.page is None else _page(capture.page),
            faults=tuple(
                replace(injection, service=capture.projects[injection.project_id])
                for injection in (self._report.faults[number] for number in capture.faults)
            ),
        )

    def subject(self, execution: ExecutionRecord, settings: CheckSettings) -> RunSubject:
        """What checks over a whole run look at: one execution, because another one's services are other processes."""
        record = self._report.record
        own = [held for held in record.envelopes if held.execution == execution.id]
        return RunSubject(
            arrivals=tuple(self._report.arrivals[held.number] for held in own),
            settings=settings,
            refusals=tuple(
                refusal
                for held, refusal in zip(record.refusals, self._report.refusals, strict=True)
                if held.execution == execution.id
            ),
            services_by_project={held.project: held.service or "?" for held in own},
            traces=frozenset(execution.traces),
            secrets=tuple(
                secret
                for capture in record.captures
                if capture.execution == execution.id
                for secret in capture.canaries.items()
            ),
            faults=tuple(
                injection
                for held, injection in zip(record.faults, self._report.faults, strict=True)
                if held.execution == execution.id
            ),
        )

    def _orphans_of(self, capture: CaptureRecord) -> tuple[Arrival, ...]:
        if capture.orphans is None:
            return ()
        numbers = self._orphans[capture.execution]
        first, last = capture.orphans
        arrivals = self._report.arrivals
        between = numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]
        return tuple(arrivals[number] for number in between if arrivals[number].project_id in capture.projects)

    def _facts(self, name: str, held: ServiceRecord) -> ServiceFacts:
        record = self._report.record
        samples = () if held.instance is None else record.resources[held.instance].samples
        first, last = held.samples
        return ServiceFacts(
            name=name,
            state=held.state,
            sdk=held.sdk,
            foreign_dsn=held.foreign_dsn,
            url=held.url,
            exit_code=held.exit_code,
            ever_contacted=held.ever_contacted,
            release=held.release,
            environment=held.environment,
            refusals=held.refusals,
            log_tail="\n".join(record.log_lines[line] for line in held.log_tail),
            resources=tuple(ResourceSample(*sample) for sample in samples[first:last]),
        )


def _response(held: ResponseRecord) -> Response:
    body = base64.b64decode(held.body) if held.body_encoding == "base64" else held.body.encode()
    return Response(held.status, held.headers, body, held.elapsed_ms, held.url)


def _page(held: PageRecord) -> PageView:
    return PageView(held.url, held.console, base64.b64decode(held.screenshot))
