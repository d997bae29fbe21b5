"""Whether a record that was read holds together: whatever it refers to is in it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.record import RunRecord


def require_consistent(record: RunRecord) -> None:
    """Accept a record whose parts all exist, so that nobody who works with it has to ask.

    Raises:
        ValueError: something refers to what is not there; the message says what.
    """
    if problem := next(_problems(record), None):
        raise ValueError(problem)


def _problems(record: RunRecord) -> Iterator[str]:
    executions = {execution.id for execution in record.executions}
    if missing := {"checks", "baseline"} - record.settings.keys():
        yield f"its settings have no {missing.pop()!r}"
    for position, envelope in enumerate(record.envelopes):
        if envelope.number != position:
            yield f"envelope {envelope.number} is at position {position}"
        if envelope.execution not in executions:
            yield f"envelope {position} is of an unknown execution"
    for refusal in record.refusals:
        if refusal.execution not in executions:
            yield f"{refusal.file} is of an unknown execution"
    for fault in record.faults:
        if fault.execution not in executions:
            yield f"the fault at {fault.at} is of an unknown execution"
    captures = {capture.id for capture in record.captures}
    for test in record.tests:
        if lost := set(test.captures) - captures:
            yield f"{test.id} has an unknown capture {lost.pop()}"
    for capture in record.captures:
        if capture.execution not in executions:
            yield f"capture {capture.id} is of an unknown execution"
        if not all(0 <= number < len(record.envelopes) for number in (*capture.envelopes, *(capture.orphans or ()))):
            yield f"capture {capture.id} has an unknown envelope"
        if not all(0 <= number < len(record.faults) for number in capture.faults):
            yield f"capture {capture.id} has an unknown fault"
        elif any(record.faults[number].project not in capture.projects for number in capture.faults):
            yield f"capture {capture.id} has a fault of a project that is not its own"
        for service in capture.services.values():
            if not all(0 <= line < len(record.log_lines) for line in service.log_tail):
                yield f"capture {capture.id} has an unknown line of a log"
            if service.instance is not None and not 0 <= service.instance < len(record.resources):
                yield f"capture {capture.id} has an unknown instance of a service"
