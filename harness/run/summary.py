"""What one execution verified, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.verify.finding import Finding, Severity


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which of a service's debug endpoints the scenarios trigger.

    Args:
        endpoints: ``(method, path)`` of every endpoint in the service's manifest.
        covered: those that some scenario triggers.
    """

    service: str
    endpoints: tuple[tuple[str, str], ...]
    covered: frozenset[tuple[str, str]]

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """Endpoints without a scenario."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint not in self.covered)


@dataclass(frozen=True, slots=True)
class LostTrace:
    """An error that arrived outside every scenario's trace."""

    service: str
    title: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things took, in seconds."""

    fleet_start: float = 0.0
    slowest: float = 0.0
    slowest_title: str = ""
    all_scenarios: float = 0.0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One execution: what ran, what arrived, what is not covered, what got lost."""

    scenarios: int
    envelopes: int
    items: Mapping[str, int] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    coverage_is_enforced: bool = True
    lost: tuple[LostTrace, ...] = ()
    refusals: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    allowed: tuple[str, ...] = ()
    died: tuple[tuple[str, int], ...] = ()
    timing: Timing = Timing()
    failure: str | None = None

    @property
    def warnings(self) -> list[Finding]:
        """Findings about the run as a whole that do not fail it."""
        return [finding for finding in self.findings if finding.severity is Severity.WARNING]

    @property
    def errors(self) -> list[Finding]:
        """Findings about the run as a whole that fail it."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def uncovered(self) -> list[str]:
        """Endpoints without a scenario, as ``payment GET /debug/crash``."""
        return [f"{of.service} {method} {path}" for of in self.coverage for method, path in of.missing]
