"""The terminal summary of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.run.summary import RunSummary

Line = tuple[str, dict[str, bool]]

_FAULTS_TOLD = 10


def summary_lines(summary: RunSummary, warned: Sequence[str] = (), allowed: Sequence[str] = ()) -> Iterator[Line]:
    """The summary line by line, each with the terminal markup to print it in.

    Args:
        summary: the run.
        warned: findings in scenarios that fail nothing.
        allowed: findings in scenarios that are allowed, each with its reason.
    """
    if summary.failure is not None:
        yield "The fleet did not start:", {"red": True, "bold": True}
        yield from ((line, {}) for line in summary.failure.splitlines())
        return
    yield f"scenarios   {summary.scenarios}", {}
    yield from _coverage(summary)
    items = ", ".join(f"{count} {kind}" for kind, count in summary.items.items())
    yield f"captured    {summary.envelopes} envelopes: {items or 'no items'}", {}
    if summary.lost:
        yield f"lost traces {len(summary.lost)} errors arrived outside every scenario's trace:", {"yellow": True}
        yield from ((f"  {lost.service}: {lost.title} (trace {lost.trace_id})", {}) for lost in summary.lost)
    else:
        yield "lost traces none", {}
    if summary.refusals:
        yield f"refused     {len(summary.refusals)} requests:", {"red": True}
        yield from ((f"  {refusal}", {}) for refusal in summary.refusals[:10])
    if summary.faults:
        yield f"faults      {len(summary.faults)} were injected on purpose, see the report:", {}
        told = Counter(summary.faults)
        yield from ((f"  {count} x {fault}", {}) for fault, count in told.most_common(_FAULTS_TOLD))
        if len(told) > _FAULTS_TOLD:
            others = told.most_common()[_FAULTS_TOLD:]
            yield f"  and {sum(count for _, count in others)} more of {len(others)} other kinds", {}
    if summary.died:
        yield "Services that died although no scenario expects it, which fails the run:", {"red": True, "bold": True}
        yield from ((f"  {name} ended with exit code {code}", {"red": True}) for name, code in summary.died)
    if summary.errors:
        yield f"Checks over the whole run failed it ({len(summary.errors)}):", {"red": True, "bold": True}
        yield from ((f"  {finding}", {"red": True}) for finding in summary.errors)
    warnings = Counter([*warned, *map(str, summary.warnings)])
    if warnings:
        yield f"warnings    {warnings.total()} findings that fail nothing:", {"yellow": True}
        yield from ((f"  {count} x {warning}", {"yellow": True}) for warning, count in warnings.most_common())
    accepted = Counter([*allowed, *summary.allowed])
    if accepted:
        yield f"allowed     {accepted.total()} findings:", {}
        yield from ((f"  {count} x {finding}", {}) for finding, count in accepted.most_common())
    timing = summary.timing
    yield f"time        fleet start {timing.fleet_start:.1f} s, then all scenarios {timing.all_scenarios:.1f} s", {}
    yield f"            slowest scenario {timing.slowest:.1f} s: {timing.slowest_title}", {}


def _coverage(summary: RunSummary) -> Iterator[Line]:
    for of in summary.coverage:
        total = len(of.endpoints)
        yield f"endpoints   {of.service}: {total - len(of.missing)} of {total} debug endpoints", {}
    if summary.uncovered and summary.coverage_is_enforced:
        yield "No scenario triggers these endpoints, which fails the run:", {"red": True, "bold": True}
        yield from ((f"  {endpoint}", {"red": True}) for endpoint in summary.uncovered)
