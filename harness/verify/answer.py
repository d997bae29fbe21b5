"""Is the answer the expected one?"""

from __future__ import annotations

from harness.verify.capture import Capture


def status_problem(captured: Capture, status: int | None, exit_code: int | None, service: str) -> str | None:
    """What is wrong with a scenario's answer or its service's exit, in words; None when it is as expected.

    Args:
        captured: the scenario's capture.
        status: the expected HTTP status; None to accept any.
        exit_code: the exit code with which the service's process is expected to end.
        service: the service that answers.
    """
    evidence = captured.evidence
    facts = evidence.services.get(service)
    log = f"\nLast lines of {service}'s log:\n{facts.log_tail}" if facts and facts.log_tail else ""
    if facts and facts.exit_code not in (None, exit_code):
        how = f": {facts.fate}" if facts.fate else ""
        log = f"\nThe process of {service} ended with exit code {facts.exit_code}{how}.{log}"
    if exit_code is not None and (facts is None or facts.exit_code != exit_code):
        ended = "is still running" if facts is None or facts.exit_code is None else f"ended with {facts.exit_code}"
        return f"{evidence.title}: the process of {service} {ended}, expected exit code {exit_code}{log}"
    if evidence.response is None:
        # A process that dies of the request answers nothing, and that was expected then.
        return f"{evidence.title} gave no answer: {evidence.problem}{log}" if exit_code is None else None
    if status is not None and evidence.response.status != status:
        answer = f"{evidence.title} answered {evidence.response.status}, expected {status}"
        return f"{answer}: {evidence.response.text[:500]}{log}"
    return None
