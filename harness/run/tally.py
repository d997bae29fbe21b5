"""What happened in an execution, kept for its summary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from harness.collector.inbox import Arrival
from harness.run.manifest import Endpoints
from harness.run.summary import Coverage, LostTrace, RunSummary, Timing
from harness.verify.checks.registry import Allowance, judge_run
from harness.verify.run_subject import RunSubject


class Tally:
    """Counts what scenarios triggered and took, and what services came to.

    Everything is noted by operations that are atomic under the interpreter's lock, so any thread may note.
    """

    def __init__(self) -> None:
        self.manifests: dict[str, Endpoints] = {}
        self.coverage_is_enforced = True
        self._allowed: set[tuple[str, str]] = set()
        self._died: list[tuple[str, int]] = []
        self._triggered: set[tuple[str, str, str]] = set()
        self._durations: dict[str, tuple[str, float]] = {}
        self._fleet_start = 0.0
        self._up_at = self._last_capture = 0.0

    def note_up(self, seconds: float) -> None:
        """The fleet is up, after so many seconds; what it is triggered by comes from now on."""
        self._fleet_start = seconds
        self._up_at = time.perf_counter()

    def note_allowed(self, allowed: Iterable[tuple[str, str]]) -> None:
        """Code and reason of what a scenario allows."""
        self._allowed.update(allowed)

    def note_triggered(self, endpoints: Iterable[tuple[str, str, str]]) -> None:
        """Service, method and path of endpoints that were triggered."""
        self._triggered.update(endpoints)

    def note_captured(self, key: str, title: str, seconds: float) -> None:
        """A scenario is complete, after so many seconds."""
        self._durations[key] = (title, seconds)
        self._last_capture = time.perf_counter()

    def note_death(self, service: str, exit_code: int) -> None:
        """A service ended although no scenario expects it."""
        self._died.append((service, exit_code))

    def summary(self, seen: RunSubject, *, scenarios: int, failure: str | None) -> RunSummary:
        """Everything in numbers, with what the checks say of the run as a whole.

        Args:
            seen: everything that arrived.
            scenarios: how many were triggered.
            failure: why the fleet did not start.
        """
        items = Counter(kind for arrival in seen.arrivals for kind in _kinds(arrival))
        verdict = judge_run(seen, [Allowance(*allowed) for allowed in sorted(self._allowed)])
        slowest_title, slowest = max(self._durations.values(), key=lambda entry: entry[1], default=("", 0.0))
        return RunSummary(
            scenarios=scenarios,
            envelopes=len(seen.arrivals),
            items=dict(sorted(items.items())),
            coverage=tuple(_coverage(self.manifests, self._triggered)),
            coverage_is_enforced=self.coverage_is_enforced,
            lost=tuple(LostTrace(event.service or "?", event.title, event.trace_id) for event in seen.outside.events),
            # A browser asks any server for its icon; only what was posted is telemetry that got lost.
            refusals=tuple(str(refusal) for refusal in seen.refusals if refusal.method == "POST"),
            faults=tuple(map(str, seen.faults)),
            findings=verdict.findings,
            allowed=tuple(f"{finding} -- {reason}" for finding, reason in verdict.allowed),
            died=tuple(self._died) if failure is None else (),
            timing=Timing(
                fleet_start=self._fleet_start,
                slowest=slowest,
                slowest_title=slowest_title,
                all_scenarios=max(0.0, self._last_capture - self._up_at),
            ),
            failure=failure,
        )


def _coverage(manifests: Mapping[str, Endpoints], triggered: set[tuple[str, str, str]]) -> Iterator[Coverage]:
    for name, endpoints in manifests.items():
        covered = frozenset((method, path) for service, method, path in triggered if service == name)
        yield Coverage(name, endpoints, covered & frozenset(endpoints))


def _kinds(arrival: Arrival) -> list[str]:
    # Minidumps, OTLP and the like are kept as they came; they count by their endpoint.
    return [arrival.endpoint] if arrival.envelope is None else [item.type for item in arrival.envelope.items]
