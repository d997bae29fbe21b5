"""Runs made by hand: evidence as an execution leaves it behind, without any service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.collector.inbox import Arrival
from harness.report.record import FindingRecord, Outcome, RunRecord, TestRecord
from harness.report.recording import record_run
from harness.report.report import Report
from harness.run.harvest import Harvest
from harness.run.scenario import Scenario, make_trigger
from harness.run.summary import Coverage, RunSummary
from harness.telemetry.resources import ResourceSample
from harness.verify.baseline.settings import BaselineSettings
from harness.verify.evidence import Evidence, PageView, Response, ServiceFacts
from harness.verify.run_subject import RunSubject
from harness.verify.settings import CheckSettings
from harness.wire.envelope import Envelope
from tests.samples import arrival, container, envelope, error, json_item, streamed_span, transaction

ROOT_SPAN = "b7ad6b7169203331"
PROJECTS = {"1": "gateway", "2": "payment"}
# Scenarios whose streamed spans travel in one envelope, as SDKs batch them.
BATCH = 20


def trace_id(number: int) -> str:
    return f"{number + 1:032x}"


@dataclass
class Run:
    """What `record_run` takes, to be varied."""

    harvest: Harvest
    summary: RunSummary
    tests: list[TestRecord]

    def record(self, *, exit_status: int = 0) -> RunRecord:
        return record_run(
            self.harvest,
            self.summary,
            self.tests,
            exit_status=exit_status,
            created_at=1000.0,
            root=Path("/checkout"),
            baseline=BaselineSettings(),
        )

    def report(self, *, exit_status: int = 0) -> Report:
        seen = self.harvest.seen
        return Report(self.record(exit_status=exit_status), seen.arrivals, seen.refusals, seen.faults)

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        return self.harvest.seen.arrivals


MakeRun = Callable[..., Run]


def _envelopes(count: int, message: str) -> Iterable[tuple[str, Envelope, list[int]]]:
    for number in range(count):
        trace = trace_id(number)
        span = f"{number + 1:016x}"
        client = f"c{number:015x}"
        child = {
            "span_id": client, "parent_span_id": span, "trace_id": trace, "description": "GET http://payment/crash",
            "op": "http.client", "start_timestamp": 100.1, "timestamp": 100.2,
        }  # fmt: skip
        yield "1", envelope(transaction(span_id=span, trace_id=trace, spans=[child]), trace_id=trace), [number]
        thrown = error(value=f"{message} {number}", trace_id=trace, span_id=f"d{number:015x}", tags={"note": message})
        yield "2", envelope(thrown, trace_id=trace, event_id=f"{number:032x}"), [number]
    for first in range(0, count, BATCH):
        batch = range(first, min(first + BATCH, count))
        spans = [
            streamed_span("GET /crash", span_id=f"d{number:015x}", parent=f"c{number:015x}", segment=True)
            | {"trace_id": trace_id(number)}
            for number in batch
        ]
        yield "2", envelope(container("span", "spans", *spans), trace_id=None), list(batch)


def _received(number: int, held: Envelope, project: str) -> Arrival:
    return arrival(number, Envelope.parse(held.serialize()), project)


def _evidence(number: int, arrivals: list[Arrival], orphans: tuple[Arrival, ...], message: str) -> Evidence:
    samples = tuple(ResourceSample(at=1.0 * at, rss_bytes=at * 10**6, cpu_percent=1.5, threads=3) for at in range(40))
    facts: dict[str, Any] = {
        "state": "flushed", "sdk": "sentry.python/2", "ever_contacted": True, "resources": samples[number % 10 :],
        "log_tail": f"starting\nlistening\n{message}",
    }  # fmt: skip
    body = f'{{"error": "{message}"}}'.encode()
    return Evidence(
        title=f"payment GET /debug/{number}",
        target="payment",
        trace_id=trace_id(number),
        span_id=ROOT_SPAN,
        entry="gateway",
        response=Response(500, {"content-type": "application/json"}, body, 12.0, "http://gateway/debug"),
        arrivals=tuple(arrivals),
        orphans=orphans,
        services={name: ServiceFacts(name, url=f"http://{name}", **facts) for name in PROJECTS.values()},
        services_by_project=PROJECTS,
        page=PageView("http://shop/", ("console.error: gone",), b"\xff\xd8picture") if number % 2 else None,
        secrets={"the trigger's API key": "canary-value", "DB_PASSWORD of payment": "real-secret-value"},
    )


def _make(
    count: int = 3, *, message: str = "boom", tests: Mapping[int, Mapping[str, Any]] | None = None, orphans: int = 2
) -> Run:
    numbered = [
        (_received(at, held, project), own) for at, (project, held, own) in enumerate(_envelopes(count, message))
    ]
    of_scenario: dict[int, list[Arrival]] = {}
    for arrived, own in numbered:
        for number in own:
            of_scenario.setdefault(number, []).append(arrived)
    report = envelope(json_item("client_report", {"discarded_events": []}), trace_id=None)
    lonely = tuple(_received(len(numbered) + at, report, "2") for at in range(orphans))
    gathered, records = [], []
    for number in range(count):
        scenario = Scenario(f"test_pay.py::test_{number:04d}", make_trigger("payment", f"GET /debug/{number}"), 500)
        gathered.append((scenario, _evidence(number, of_scenario[number], lonely, message)))
        record = TestRecord(
            scenario.key, "test_pay.py", number + 1, Outcome.PASSED, 0.1, captures=(trace_id(number),)
        )
        records.append(replace(record, **(tests or {}).get(number, {})))
    arrivals = (*(arrived for arrived, _ in numbered), *lonely)
    seen = RunSubject(
        arrivals=arrivals,
        settings=CheckSettings(disable=frozenset({"volume"})),
        services_by_project=PROJECTS,
        traces=frozenset(map(trace_id, range(count))),
    )
    endpoints = (("GET", "/debug/0"), ("GET", "/debug/never"))
    summary = RunSummary(
        scenarios=count,
        envelopes=len(arrivals),
        items={"event": count},
        coverage=(Coverage("payment", endpoints, frozenset(endpoints[:1])),),
    )
    return Run(Harvest(tuple(gathered), seen, frozenset({"DB_PASSWORD of payment"})), summary, records)


@pytest.fixture
def make_run() -> MakeRun:
    return _make


def finding(code: str = "secrets.known", **more: Any) -> FindingRecord:
    values: dict[str, Any] = {"message": "a secret leaks", "severity": "error", "service": "payment"}
    values |= {"item": "error event", "path": "$.tags"}
    return FindingRecord(code, **{**values, **more})
