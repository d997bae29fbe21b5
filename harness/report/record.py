"""The record of a run: what ``run.json`` holds, and what every report is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.fleet.platform_names import DEFAULT_PLATFORM
from harness.report.captured import CaptureRecord, EnvelopeRecord, FaultRecord, RefusalRecord, ResourceRecord

SCHEMA = "sentry-verification-harness/run"
VERSION = 2

UNFINISHED = -1
"""Exit status of a run that never came to its end, because it was killed: pytest gave none."""


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
    """What differs from the baseline: ``lost``, ``changed`` or ``gained``, at a JSON path.

    Args:
        accepted: why it is no regression all the same; None when nobody says so.
    """

    kind: str
    path: str
    expected: Any = None
    actual: Any = None
    accepted: str | None = None

    @property
    def is_regression(self) -> bool:
        """Whether something that was there is no longer as it was, and nobody accepts it."""
        return self.kind != "gained" and self.accepted is None


class BaselineState(StrEnum):
    """What became of the comparison of a test with its baseline."""

    NONE = "none"
    COMPARED = "compared"
    MISSING = "missing"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class TestRecord:
    """One test.

    Args:
        id: pytest's node id.
        file: where it is written, relative to pytest's root directory.
        line: its first line, counted from 1.
        seconds: how long it took, set-up and tear-down included.
        message: why it failed or was skipped, in pytest's words.
        own_outcome: how it would have ended without what the checks and the baseline say.
        captures: ids of its captures, its scenario's own first.
        allowed: code and reason of everything that it allows, found or not.
        loosened: path and reason of every place of its baseline that it loosens.
    """

    __test__ = False

    id: str
    file: str
    line: int
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    own_outcome: Outcome = Outcome.PASSED
    captures: tuple[str, ...] = ()
    allowed: tuple[tuple[str, str], ...] = ()
    loosened: tuple[tuple[str, str], ...] = ()
    baseline: BaselineState = BaselineState.NONE
    findings: tuple[FindingRecord, ...] = ()
    differences: tuple[DifferenceRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageRecord:
    """Debug endpoints of a service, as ``GET /debug/crash``, and those among them that no scenario triggers."""

    service: str
    endpoints: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """One start of a fleet; a merged report has several.

    Args:
        id: what tells it from all others.
        root: pytest's root directory, on the machine where it ran.
        traces: every trace that its triggers started, also those of attempts that were repeated.
        platform: where the services ran: "process", "compose" or "attach".
    """

    id: str
    root: str
    traces: tuple[str, ...]
    platform: str = DEFAULT_PLATFORM


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run.

    Args:
        harness: version of this harness.
        created_at: when the run was over, in seconds since the epoch.
        exit_status: pytest's, or `UNFINISHED`.
        failure: why the fleet did not start.
        notes: what a reader of the report has to know beside the verdict.
        executions: what it consists of.
        reference: end of the run that it is held against instead of its baselines, in seconds since the epoch.
        items: how many of each item type arrived.
        coverage_is_enforced: whether an endpoint without a scenario fails the run.
        lost: errors outside of every scenario's trace: service, title, trace id.
        refusals: requests that the collector refused.
        faults: what services were put through on purpose, in order.
        died: services that ended although no scenario expects it, with their exit codes; they fail the run.
        findings: findings over the run as a whole that no scenario allows.
        allowed: those that some scenario allows, in words, each with its reason.
        timing: durations in seconds, by name.
        settings: the tables ``checks`` and ``baseline`` of ``harness.toml``.
        resources: what the system saw of each instance of each service.
        log_lines: every line of the services' output that some capture saw, once.
    """

    harness: str
    created_at: float
    exit_status: int
    failure: str | None
    notes: tuple[str, ...]
    executions: tuple[ExecutionRecord, ...]
    reference: float | None
    items: Mapping[str, int]
    coverage: tuple[CoverageRecord, ...]
    coverage_is_enforced: bool
    lost: tuple[tuple[str, str, str | None], ...]
    refusals: tuple[RefusalRecord, ...]
    faults: tuple[FaultRecord, ...]
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
    def compared_with(self) -> str:
        """What the differences of its tests are differences from."""
        return "baseline" if self.reference is None else "reference run"

    @property
    def passed(self) -> bool:
        """The verdict."""
        return self.exit_status == 0

    @property
    def has_problems(self) -> bool:
        """Whether anything in it keeps it from being a good run, whatever pytest's exit status was."""
        return bool(
            self.failure is not None
            or self.died
            or (self.uncovered and self.coverage_is_enforced)
            or any(finding.fails for finding in self.findings)
            or any(test.outcome.is_bad for test in self.tests)
        )

    @property
    def refused_telemetry(self) -> tuple[str, ...]:
        """Refused requests that meant to bring something, in words; a browser asks any server for its icon."""
        return tuple(refusal.text for refusal in self.refusals if refusal.method == "POST")

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Endpoints without a scenario, as ``payment GET /debug/crash``."""
        return tuple(f"{of.service} {endpoint}" for of in self.coverage for endpoint in of.missing)

    @property
    def all_findings(self) -> tuple[FindingRecord, ...]:
        """Findings over the run as a whole, then those of each test."""
        return self.findings + tuple(finding for test in self.tests for finding in test.findings)
